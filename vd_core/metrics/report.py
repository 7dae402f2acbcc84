"""All metrics of clips and pictures in one place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vd_core.bases.hub import loading
from vd_core.metrics.aesthetic_quality import AestheticJudge, aesthetic_quality
from vd_core.metrics.clip_scores import temporal_consistency, text_fidelity
from vd_core.metrics.fidelity import SubjectReference, match_frames, score_frames, subject_fidelity
from vd_core.metrics.identity_matrix import identity_separation
from vd_core.metrics.imaging_quality import imaging_quality
from vd_core.metrics.judges import Judges, load_local_judges, load_public_judges
from vd_core.metrics.motion_amplitude import motion_amplitude
from vd_core.metrics.motion_smoothness import motion_smoothness
from vd_core.metrics.stitch import has_seam, stitch_score
from vd_core.settings import Part, PublicJudges


def load_judges(judges: str | PublicJudges, device: torch.device, class_nouns: Sequence[str]) -> Judges:
    """The judges of a folder, or the public ones for subjects of `class_nouns`, on `device`; InputError if they cannot be found or fetched."""
    if isinstance(judges, PublicJudges):
        return load_public_judges(judges, device, class_nouns)
    with loading("judges", Part(judges, None)):
        return load_local_judges(Path(judges), device)


def to_unit(pictures: list[Image.Image]) -> torch.Tensor:
    """Pictures of one size as float32 `[n, 3, h, w]` in 0..1."""
    return torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).float() / 255


def judge_clip(
    judges: Judges, frames: list[Image.Image], subjects: list[SubjectReference], prompt: str, aesthetic: AestheticJudge | None
) -> dict[str, float | None]:
    """All figures of one clip: the paper's, and those that show what they hide. None: nothing to measure.

    `imaging_quality` only by judges of photographs, `aesthetic_quality` only if there is its judge; a single picture has none of those over time.
    """
    pixels, arrays = to_unit(frames), [np.asarray(f) for f in frames]
    matches = match_frames(judges, pixels, subjects)
    return {
        **subject_fidelity(score_frames(matches)),
        **identity_separation(matches),
        "text_fidelity": text_fidelity(judges, pixels, prompt),
        "stitch_score": stitch_score(arrays),
        **(judge_motion(judges, pixels, arrays) if len(frames) > 1 else {}),
        **({"imaging_quality": imaging_quality(judges, pixels)} if judges.of_photographs else {}),
        **({"aesthetic_quality": aesthetic_quality(aesthetic, pixels)} if aesthetic else {}),
    }


def judge_motion(judges: Judges, pixels: torch.Tensor, arrays: list[np.ndarray]) -> dict[str, float | None]:
    """The figures over time of a clip, as a tensor in 0..1 and as uint8 frames."""
    return {
        "temporal_consistency": temporal_consistency(judges, pixels),
        "motion_smoothness": motion_smoothness(arrays),
        "motion_amplitude": motion_amplitude(arrays),
    }


def judge_picture(judges: Judges, picture: Image.Image, subjects: list[SubjectReference], prompt: str) -> dict:
    """One candidate's figures: each subject's `identity`, `missing` subjects, `stitched`, `text_fidelity`, and the `rank_score`.

    The rank score is the weakest subject's identity: a picture is worth what its worst subject is; a seam puts it last.
    """
    pixels = to_unit([picture])
    scores = score_frames(match_frames(judges, pixels, subjects))[0]
    identity = np.nan_to_num(scores)
    stitched = has_seam(np.asarray(picture))
    return {
        "identity": [round(float(s), 4) for s in identity],
        "missing": int(np.isnan(scores).sum()),
        "stitched": stitched,
        "text_fidelity": round(text_fidelity(judges, pixels, prompt), 4),
        "rank_score": round(float(identity.min()) - 2 * float(stitched), 4),
    }


def average(rows: list[dict[str, float | None]]) -> dict[str, float]:
    """The mean of each figure over the rows of the same keys that have it, to four digits; a figure that none has is left out."""
    measured = {key: [v for row in rows if (v := row[key]) is not None] for key in rows[0]}
    return {key: round(float(np.mean(values)), 4) for key, values in measured.items() if values}
