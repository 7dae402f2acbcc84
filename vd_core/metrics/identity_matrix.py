"""Identity matrix: does each subject look like its own pictures, or like another subject's?"""

import numpy as np

from vd_core.metrics.fidelity import Matches


def identity_separation(matches: list[Matches]) -> dict[str, float | None]:
    """Means over what stands for a subject in any frame, from its column of the identity matrix (`match_frames`).

    `identity_margin`: the cosine with its own references minus the greatest with another subject's, -2 to 2; higher is better.
    `collapse_rate`: how often another subject's references are nearer than its own, 0 to 1; lower is better. Both are blind to subjects that are
    missing (`missing_rate` counts those), and None where no subject is found or there is only one.

    The idea of MuDI's Detect-and-Compare (arXiv:2404.04243), in our own formula. The judges are those of subject fidelity: no further weights.
    """
    margins = [margin for m in matches for margin in own_margins(m)]
    if not margins:
        return {"identity_margin": None, "collapse_rate": None}
    return {"identity_margin": float(np.mean(margins)), "collapse_rate": float(np.mean(np.array(margins) < 0))}


def own_margins(matches: Matches) -> list[float]:
    """A frame's margins, one for each subject that is found."""
    if len(matches.cosines) < 2:
        return []
    columns = zip(matches.rows, matches.cosines.T[matches.columns], strict=True)
    return [float(cosines[own] - np.delete(cosines, own).max()) for own, cosines in columns]
