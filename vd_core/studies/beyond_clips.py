"""What goes beyond the paper, in clips of two held-out toys: own actions, events in order, long clips, motion from a reference."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.customised import Generate, customise_animatediff, customise_text2video_zero
from vd_core.generation.guides import build_guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.staging import draw_clip_with, draw_picture_with, draw_still_with
from vd_core.generation.unet import unroll
from vd_core.inputs.clip_motion import find_motion
from vd_core.inputs.pictures import contact_sheet, to_pictures
from vd_core.inputs.scenes import Scene, spoken_prompt, whole_prompt
from vd_core.inputs.ways import lead_by_words
from vd_core.metrics.clip_scores import temporal_consistency
from vd_core.metrics.fidelity import match_frames, score_frames
from vd_core.metrics.motion_path import path_correlation
from vd_core.seeds import seed_for
from vd_core.settings import Sampling
from vd_core.studies.beyond import Arm, Plan, Rows, name_by_color
from vd_core.studies.staged import CALM, TAKES, Players, play, stage_scenes
from vd_core.studies.toys import Jury, Toys
from vd_core.studies.transfer import draw_reference, track
from vd_core.toybox.reading.action_binding import action_binding
from vd_core.toybox.world.draw import CLIP_FRAMES
from vd_core.toybox.world.paths import path_of
from vd_core.toybox.world.scenes import BACKGROUNDS

LONG, ENDS = 64, 16
"""Frames of a long clip, and how many of its first and last are compared."""
SHOWN = 16
STRENGTH, ZERO_FRAMES, ZERO_STEPS, T_FORWARD, T_WARP, T_CARRIED = (10.0, 0.0), 8, 25, 11, 10, 10
"""Text2Video-Zero, as the embedded base's preset has it."""


def open_animatediff(
    folder: Path, jury: Jury, toys: Toys, weights: Path | None, frames: int, sampling: Sampling
) -> tuple[Base, Players, Generate]:
    """AnimateDiff with a finetuning's weights: the base, the subjects, the generator; without weights toys that the base knows by their colors."""
    base = load_base(folder_source(folder), torch.device("cpu"))
    steps, guidance_scale = sampling.num_inference_steps, sampling.guidance_scale
    if weights is not None:
        return base, play(base, jury, toys), customise_animatediff(base, weights, frames, steps, guidance_scale, False)
    net = unroll(build_animatediff(base, base.motion_adapter).unet)
    own = {"num_frames": frames, "num_inference_steps": steps, "guidance_scale": guidance_scale, "fast": False}
    return base, Players(name_by_color(toys), []), partial(generate_animatediff, base, net, **own)


def draw_clips(
    base: Base, jury: Jury, players: Players, generate: Generate, scenes: list[Scene], seeds: list[int], arm: Arm, frames: int
) -> torch.Tensor:
    """One clip a scene and seed, in 0..1: `[n, f, 3, h, w]`; without regions and events the whole scene is said in one sentence."""
    subjects, calmly = players.subjects, partial(generate, guidance_scale=CALM)
    prompts = [whole_prompt(subjects, s) if arm.placed else spoken_prompt(subjects, s) for s in scenes]
    layout, clips = place_automatically(len(subjects)), []
    if arm.led:
        scenes = [lead_by_words(scene, subjects, layout, frames) for scene in scenes]
    guides = (
        build_guides(base, subjects, scenes, [layout] * len(scenes), frames, arm.repeat, held=[arm.led] * len(scenes))
        if arm.placed
        else None
    )
    draw, takes = (draw_still_with(base, calmly), TAKES) if arm.led else (draw_clip_with(calmly), 1)
    for i, (scene, seed) in enumerate(zip(scenes, seeds, strict=True)):
        own = guides and guides.of([i])
        if own and arm.staged:
            own = stage_scenes(base, jury, players, [scene], own, draw, [seed], takes)
        clips.append((calmly if own and own.stage else generate)(embed_prompts(base, prompts[i : i + 1]), [seed], guides=own))
    return (torch.cat(clips).float() + 1) / 2


def save_clips(clips: torch.Tensor, sheet: Path) -> None:
    """Clips `[n, f, 3, h, w]` in 0..1 as a contact sheet, a row each, of at most SHOWN of their frames."""
    contact_sheet([to_pictures(clip[:: -(-len(clip) // SHOWN)] * 2 - 1) for clip in clips]).save(sheet, quality=90)


def run_actions(folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path | None, sheet: Path) -> Rows:
    """`own_action`: the share of toys that do what their own words say; a row a clip."""
    base, players, generate = open_animatediff(folder, jury, toys, weights, CLIP_FRAMES, sampling)
    wanted = [actions for actions in plan.actions for _ in range(plan.clips)]
    places = [plan.places[i % len(plan.places)] for i in range(len(wanted))]
    said = [{s.name: words for s, (words, _) in zip(players.subjects, actions, strict=True)} for actions in wanted]
    scenes = [Scene(place, own, None, False, ()) for place, own in zip(places, said, strict=True)]
    clips = draw_clips(base, jury, players, generate, scenes, [seed_for("action", i) for i in range(len(scenes))], arm, CLIP_FRAMES)
    save_clips(clips, sheet)
    return read_actions(jury, clips, [name_motions(toys, actions) for actions in wanted])


def name_motions(toys: Toys, actions: list[tuple[str, str]]) -> dict[str, str]:
    """Each toy's motion, as the tracker calls it."""
    return {kind: motion for kind, (_, motion) in zip(toys, actions, strict=True)}


def read_actions(jury: Jury, clips: torch.Tensor, motions: list[dict[str, str]]) -> Rows:
    """Which share of each clip's toys has its own motion."""
    return [{"own_action": action_binding(jury.judges, jury.reader, c, m)} for c, m in zip(clips, motions, strict=True)]


def run_events(folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path | None, sheet: Path) -> Rows:
    """`event_order`: 1 if most frames before the turn show the first place, and most after it the second; a row a clip.

    `steadier`: how much more consistent the frames of each event are than those of the same prompt and noise without a turn.
    """
    base, players, generate = open_animatediff(folder, jury, toys, weights, CLIP_FRAMES, sampling)
    turns = [turn for turn in plan.events for _ in range(plan.clips)]
    seeds = [seed_for("event", i) for i in range(len(turns))]
    scenes = [Scene(first, {}, None, False, ((0, first), (None, second))) for first, second in turns]
    clips = draw_clips(base, jury, players, generate, scenes, seeds, arm, CLIP_FRAMES)
    save_clips(clips, sheet)
    whole = [replace(scene, events=()) for scene in scenes]
    single = draw_clips(base, jury, players, generate, whole, seeds, arm, CLIP_FRAMES)
    steadier = [steadiness(jury, clip) - steadiness(jury, one) for clip, one in zip(clips, single, strict=True)]
    return [row | {"steadier": more} for row, more in zip(read_events(jury, clips, turns), steadier, strict=True)]


def steadiness(jury: Jury, clip: torch.Tensor) -> float:
    """Temporal consistency within each half of a clip, their mean."""
    return float(np.mean([temporal_consistency(jury.judges, half) for half in clip.chunk(2)]))


def read_events(jury: Jury, clips: torch.Tensor, turns: list[tuple[str, str]]) -> Rows:
    """Which of the clips show both places of their turns, in order."""
    return [{"event_order": float(in_order(jury, clip, *turn))} for clip, turn in zip(clips, turns, strict=True)]


@torch.no_grad()
def in_order(jury: Jury, clip: torch.Tensor, first: str, second: str) -> bool:
    """Whether most frames of a clip's first half show the `first` place and most of its second half the `second`."""
    names, half = list(BACKGROUNDS.values()), len(clip) // 2
    read = np.array([names[i] for i in jury.reader.read_backgrounds(clip).argmax(1).tolist()])
    return bool((read[:half] == first).mean() > 0.5 and (read[half:] == second).mean() > 0.5)


def run_long(folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path, sheet: Path) -> Rows:
    """`long_drift`: the fidelity of the last ENDS of LONG frames over that of the first ENDS; a row a clip.

    With `placed` each toy has its own region. A clip's last frames are held against the mean of all clips' first ones, so that the rows' mean is
    the ratio of the means: single clips begin too differently.
    """
    base, players, generate = open_animatediff(folder, jury, toys, weights, LONG, sampling)
    own = {s.name: "is jumping" for s in players.subjects}
    scenes = [
        Scene(place, own, None, False, ()) if arm.placed else Scene(f"are jumping {place}", {}, None, False, ())
        for place in plan.places[: plan.clips]
    ]
    clips = draw_clips(base, jury, players, generate, scenes, [seed_for("long", i) for i in range(len(scenes))], arm, LONG)
    save_clips(clips, sheet)
    first, last = (
        [float(np.nan_to_num(score_frames(match_frames(jury.judges, clip[part], players.known))).mean()) for clip in clips]
        for part in (slice(ENDS), slice(-ENDS, None))
    )
    return [{"long_drift": end / max(float(np.mean(first)), 1e-6), "first": begin} for begin, end in zip(first, last, strict=True)]


def run_zero_motion(folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path, sheet: Path) -> Rows:
    """`zero_motion`: correlation of each toy's path with the reference's, in Text2Video-Zero; with `placed` it takes the clip's motion. A row a toy."""
    base = load_base(folder_source(folder), torch.device("cpu"))
    players = play(base, jury, toys)
    subjects = players.subjects
    generate = customise_text2video_zero(
        base, weights, ZERO_FRAMES, ZERO_STEPS, sampling.guidance_scale, STRENGTH, T_FORWARD, T_WARP, False, T_CARRIED
    )
    rows, drawn_clips = [], []
    for i, drawn in enumerate(plan.references):
        chosen = np.linspace(0, CLIP_FRAMES - 1, ZERO_FRAMES).round().astype(int)
        reference = to_pictures(torch.from_numpy(draw_reference(drawn)).permute(0, 3, 1, 2) / 127.5 - 1)
        motion = find_motion(reference, len(subjects)).spread_over(ZERO_FRAMES) if arm.placed else None
        actions = {s.name: "" for s in subjects} if arm.placed else {}
        scenes = [Scene(place, actions, None, False, ()) for place in plan.places[: plan.clips]]
        layouts = [place_automatically(len(subjects))] * len(scenes)
        guides = build_guides(base, subjects, scenes, layouts, ZERO_FRAMES, arm.repeat, STRENGTH, motion, [arm.staged] * len(scenes))
        prompts = [whole_prompt(subjects, scene) for scene in scenes]
        seeds = [seed_for("zero", i, k) for k in range(len(scenes))]
        if arm.staged:
            draw = draw_picture_with(base, Sampling(ZERO_STEPS, CALM))
            guides = stage_scenes(base, jury, players, scenes, guides, draw, seeds)
        drawing = partial(generate, guidance_scale=CALM) if guides.stage else generate
        clips = (drawing(embed_prompts(base, prompts), seeds, guides=guides).float().cpu() + 1) / 2
        path = path_of(drawn.path)[chosen] * [1, -1]
        drawn_clips.append(clips)
        for clip in clips:
            middles, _ = track(jury, clip, list(toys))
            rows += [{"zero_motion": path_correlation(middles[kind], path)} for kind in toys]
    save_clips(torch.cat(drawn_clips), sheet)
    return rows
