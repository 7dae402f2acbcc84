"""HLR with nobody in the loop (III-D) on candidates whose subjects were drawn alone first: afterwards a plain prompt may show them all."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.inputs.prompts import plain_prompt, scene_prompt
from vd_core.methods import disen_mix
from vd_core.metrics.report import judge_picture
from vd_core.seeds import seed_for
from vd_core.settings import Sampling, Settings
from vd_core.studies.beyond import Arm, Plan, draw_together, open_customised
from vd_core.studies.staged import Players
from vd_core.studies.toys import Jury, Toys, draw_toys
from vd_core.toybox.world.scenes import BACKGROUNDS
from vd_core.training.loop import Progress

CANDIDATES = Arm("strips", True, True, True)


def refinetune(
    folder: Path, jury: Jury, toys: Toys, settings: Settings, plan: Plan, sampling: Sampling, before: Path, target: Path
) -> None:
    """Finetune on from the weights in `before` with the best-ranked of the plan's candidates; they stand at places where nothing is measured."""
    base, players = open_customised(folder, jury, toys, before)
    subjects, given = players.subjects, draw_toys(toys, base.resolution)[1]
    places = [place for place in BACKGROUNDS.values() if place not in plan.places]
    seeds = [seed_for("candidate", i) for i in range(plan.candidates)]
    drawn = draw_together(base, jury, players, places, seeds, CANDIDATES, sampling)
    prompts = [plain_prompt(scene_prompt(subjects, places[i % len(places)]), subjects) for i in range(plan.candidates)]
    picked = choose_best(jury, players, drawn, prompts, plan.picks)
    again = load_base(folder_source(folder), torch.device("cpu"))
    disen_mix.refinetune(again, subjects, given, picked, before, settings, Progress(target / "progress"), target)


def choose_best(jury: Jury, players: Players, drawn: list[Image.Image], prompts: list[str], count: int) -> list[Image.Image]:
    """The best of the drawn pictures, as the judges rank HLR's candidates."""
    scores = [
        judge_picture(jury.judges, picture, players.known, prompt)["rank_score"] for picture, prompt in zip(drawn, prompts, strict=True)
    ]
    return [drawn[i] for i in sorted(range(len(drawn)), key=lambda i: -scores[i])[:count]]
