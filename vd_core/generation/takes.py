"""Subjects drawn alone, some takes each, and whose are kept (docs/regions.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from vd_core.inputs.cutouts import Find
from vd_core.inputs.pictures import to_pictures
from vd_core.inputs.scenes import Asked, Said
from vd_core.inputs.staging import Alone, see_alone, show_cut
from vd_core.inputs.subjects import Subject
from vd_core.seeds import seed_for

TRIES = 3
"""How often a subject is drawn alone until it is found in what was drawn."""

Draw = Callable[[torch.Tensor, list[int]], torch.Tensor]
"""(the embeddings `[n + 1, length, width]` of the empty prompt and of subjects' own, their seeds) to clips `[n, f, 3, h, w]` in [-1, 1]; a picture is a clip of one frame."""
Drawn = tuple[np.ndarray, Alone | None]
"""A subject's clip of uint8 `[f, h, w, 3]`, and where it stands in it, if it was found."""
Alike = Callable[[np.ndarray, int], float]
"""(a frame, the number of a subject): how much like its given pictures the subject is that it shows."""
Shows = Callable[[np.ndarray, Said], float]
"""(a frame, what is said of a subject alone): how much of that the frame shows."""

Fits = Callable[[np.ndarray, str], float]
"""(an empty place, what a scene says of it): how much it is what was said."""


def like_any(frame: np.ndarray, subject: int) -> float:
    """Nobody looks: all are alike."""
    return 0.0


def shows_all(frame: np.ndarray, said: Said) -> float:
    """Nobody looks: all show it."""
    return 0.0


@dataclass(frozen=True)
class Director:
    """Who finds the subjects in what was drawn, and the `share` of the steps in which all are drawn together.

    Each subject is drawn alone in so many `takes`; the one whose cut-out is most `alike` is kept, the first of equal ones. Where something is said of it alone ("with
    a hat") that half of the takes is looked at which `shows` it best: most alike would be the one without. All are laid before that of all takes' places which
    `fits` best what was said of it; without `fits` of which least is guessed.
    """

    find: Find
    subjects: list[Subject]
    share: float
    takes: int = 1
    alike: Alike = like_any
    shows: Shows = shows_all
    fits: Fits | None = None


def draw_alone(director: Director, draw: Draw, prompt_embeds: torch.Tensor, seeds: list[int], asked: list[Asked]) -> list[Drawn]:
    """The director's subjects drawn alone, one a seed, in turn; who is not found is drawn again, TRIES times in all."""
    drawn: list[Drawn | None] = [None] * len(seeds)
    left = list(range(len(seeds)))
    for k in range(TRIES):
        tries = [(i, k * director.takes + take) for i in left for take in range(director.takes)]
        clips = draw(prompt_embeds[[0, *(1 + i for i, _ in tries)]], [seed_for("try", seeds[i], take) for i, take in tries])
        seen = [see_take(director, to_pictures(frames), i % len(director.subjects)) for (i, _), frames in zip(tries, clips, strict=True)]
        for n, i in enumerate(left):
            own = seen[n * director.takes :][: director.takes]
            drawn[i] = hang_backdrop(director, own, choose_take(director, own, i % len(director.subjects), asked[i].said), asked[i].place)
        left = [i for i in left if (found := drawn[i]) and found[1] is None]
        if not left:
            break
    return [own for own in drawn if own is not None]


def see_take(director: Director, pictures: list[Image.Image], subject: int) -> Drawn:
    """What was drawn of a subject alone."""
    clip = np.stack([np.array(picture) for picture in pictures])
    return clip, see_alone(clip, [director.find(frame, director.subjects[subject].class_noun) for frame in clip])


def choose_take(director: Director, takes: list[Drawn], subject: int, said: Said | None) -> Drawn:
    """The take in which a subject was found and is most like itself, of those that show best what is `said` of it alone."""
    if len(takes) == 1:
        return takes[0]
    shown = [show_cut(found) if found else None for _, found in takes]

    def rate(judge: Callable[[np.ndarray], float], take: int) -> float:
        frames = shown[take]
        return -np.inf if frames is None else sum(map(judge, frames)) / len(frames)

    considered = list(range(len(takes)))
    if said:
        considered = sorted(considered, key=lambda take: -rate(lambda frame: director.shows(frame, said), take))[: -(-len(takes) // 2)]
    return takes[max(considered, key=lambda take: rate(lambda frame: director.alike(frame, subject), take))]


def hang_backdrop(director: Director, takes: list[Drawn], kept: Drawn, place: str) -> Drawn:
    """The take that is kept, with that of all takes' places which fits best what is said of it."""
    clip, alone = kept
    if alone is None:
        return kept
    places = [own.place for _, own in takes if own]
    suits = [own.suits for _, own in takes if own] if director.fits is None or not place else [director.fits(own, place) for own in places]
    best = int(np.argmax(suits))
    return clip, replace(alone, backdrop=places[best], suits=suits[best])
