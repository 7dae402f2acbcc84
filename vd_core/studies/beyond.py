"""What goes beyond the paper, on the drawn world: the plan, the finetunings, and pictures of three to six held-out toys."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import yaml
from PIL import Image

from vd_core.bases.encode import embed_prompts
from vd_core.bases.latents import encode_pictures
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.load import load_customisation
from vd_core.generation.guides import build_guides
from vd_core.generation.layouts import count_layouts, place_automatically
from vd_core.generation.pictures import generate_latents, show
from vd_core.generation.staging import draw_picture_with
from vd_core.inputs.pictures import contact_sheet
from vd_core.inputs.scenes import Box, Scene, spoken_prompt, whole_prompt
from vd_core.inputs.subjects import Subject
from vd_core.methods import disen_mix
from vd_core.metrics.fidelity import match_frames, score_frames
from vd_core.metrics.report import to_unit
from vd_core.metrics.scatter_subjects import scatter_pictures
from vd_core.seeds import seed_for
from vd_core.settings import Sampling, Settings
from vd_core.studies.staged import TAKES, Players, calm, play, stage_scenes
from vd_core.studies.toys import Jury, Toys, draw_toys, mix, refer_to_toys
from vd_core.studies.transfer import Drawn
from vd_core.toybox.reading.binding import attribute_binding
from vd_core.toybox.reading.reader import read_picture
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import BACKGROUNDS, Toy
from vd_core.toybox.world.scenes import Scene as Drawing
from vd_core.training.loop import Progress

Trained = Literal["strips", "cutouts", "regions", "picks"]
"""What a finetuning learns from: strips alone (VideoDreamer's own), cut-outs too, cut-outs through their regions too; strips and then the best candidates (III-D)."""
Rows = list[dict[str, float]]


IN_A_ROW = 4
"""`regions.most_in_a_row`, as the embedded base's preset has it."""


@dataclass(frozen=True)
class Arm:
    """One way: what is `trained`, whether pictures are drawn with regions, whether a region's prompt repeats its subject, whether each is drawn alone
    first, and whether in clips its own words lead it."""

    trained: Trained
    placed: bool
    repeat: bool
    staged: bool = False
    led: bool = False


ARMS = {
    "plain": Arm("strips", False, False),
    "cut-outs": Arm("cutouts", False, False),
    "regions in sampling": Arm("cutouts", True, True),
    "regions in training": Arm("regions", True, True),
    "each drawn alone first": Arm("strips", True, True, True),
    "re-finetuned on the best of these": Arm("picks", False, False),
}


@dataclass(frozen=True)
class Plan:
    """benchmarks/beyond.yaml."""

    training_seed: int
    cutouts: int
    num_inference_steps: int
    pictures: int
    candidates: int
    picks: int
    clips: int
    places: list[str]
    actions: list[list[tuple[str, str]]]
    events: list[tuple[str, str]]
    references: list[Drawn]
    crowds: dict[str, Toys]
    pairs: dict[str, Toys]


def load_plan(path: Path) -> Plan:
    """Read the plan."""
    content = yaml.safe_load(path.read_text())
    toys = {k: {name: as_toys(own) for name, own in content.pop(k).items()} for k in ("crowds", "pairs")}
    references = [Drawn(r["path"], as_toys(r["toys"]), r["place"], r["seed"]) for r in content.pop("references")]
    return Plan(**content, **toys, references=references)


def as_toys(raw: dict[str, list[str]]) -> Toys:
    """Kinds and their looks."""
    return {kind: (looks[0], looks[1], looks[2]) for kind, looks in raw.items()}


def finetune(folder: Path, jury: Jury, toys: Toys, settings: Settings, strips: int, cutouts: int, target: Path) -> None:
    """Finetune the base in `folder` for `toys` by Disen-Mix on `strips` mixed pictures and `cutouts` scattered ones; the weights go into `target`."""
    base = load_base(folder_source(folder), torch.device("cpu"))
    subjects, pictures = draw_toys(toys, base.resolution)
    seed = settings.schedule.seed
    scattered = scatter_pictures(jury.judges, subjects, pictures, cutouts, seed, base.resolution)
    progress = Progress(target / "progress")
    disen_mix.finetune(base, subjects, pictures, mix(pictures, strips, seed), settings, progress, target, scattered)


def open_customised(folder: Path, jury: Jury, toys: Toys, weights: Path | None) -> tuple[Base, Players]:
    """The base with a finetuning's weights, and its subjects; without weights the base as it is, and toys that it knows by their colors."""
    base = load_base(folder_source(folder), torch.device("cpu"))
    if weights is None:
        return base, Players(name_by_color(toys), [])
    load_customisation(base, weights)
    return base, play(base, jury, toys)


def name_by_color(toys: Toys) -> list[Subject]:
    """Toys in words: "a red cat, a blue car"."""
    return [Subject(kind, kind, looks[0], Path()) for kind, looks in toys.items()]


def draw_scenes(
    base: Base,
    jury: Jury,
    players: Players,
    scenes: list[Scene],
    layouts: list[list[Box]],
    seeds: list[int],
    arm: Arm,
    sampling: Sampling,
    takes: int = TAKES,
) -> list[Image.Image]:
    """A picture a scene and seed, in an arm's way; without regions the whole scene is said in one sentence."""
    subjects = players.subjects
    prompts = [whole_prompt(subjects, s) if arm.placed else spoken_prompt(subjects, s) for s in scenes]
    steps, embeds = sampling.num_inference_steps, embed_prompts(base, prompts)
    if not arm.placed:
        return show(base, generate_latents(base, embeds, seeds, steps, sampling.guidance_scale))
    guides = build_guides(base, subjects, scenes, layouts, 1, arm.repeat)
    if arm.staged:
        sampling = calm(sampling)
        guides = stage_scenes(base, jury, players, scenes, guides, draw_picture_with(base, sampling), seeds, takes)
    latents = generate_latents(base, embeds, seeds, steps, sampling.guidance_scale, guides.regions, guides.stage)
    return show(base, latents, guides.stage)


def draw_crowd(base: Base, jury: Jury, players: Players, plan: Plan, arm: Arm, sampling: Sampling) -> list[Image.Image]:
    """Pictures of all subjects at the plan's places, the same seeds for all arms."""
    seeds = [seed_for("crowd", i) for i in range(plan.pictures)]
    return draw_together(base, jury, players, plan.places, seeds, arm, sampling)


def draw_together(
    base: Base, jury: Jury, players: Players, places: list[str], seeds: list[int], arm: Arm, sampling: Sampling
) -> list[Image.Image]:
    """A picture of all subjects for each seed, at the places in turn; placed ones in every layout in turn."""
    count, actions = len(players.subjects), {s.name: "" for s in players.subjects} if arm.placed else {}
    layouts = count_layouts(count, IN_A_ROW)
    scenes = [Scene(places[i % len(places)], actions, None, False, ()) for i in range(len(seeds))]
    boxes = [place_automatically(count, i // len(places) % layouts, IN_A_ROW) for i in range(len(seeds))]
    return draw_scenes(base, jury, players, scenes, boxes, seeds, arm, sampling)


def read_crowd(jury: Jury, pictures: list[Image.Image], toys: Toys) -> Rows:
    """A row a picture: `bound` if every toy is there in its own color, `present` if every kind is there, the share of toys that are bound, and the mean
    `fidelity`, to which a missing toy adds nothing: whether each is itself, and not its main color alone.
    """
    matches = match_frames(jury.judges, to_unit(pictures), refer_to_toys(jury, toys, pictures[0].width))
    fidelity = np.nan_to_num(score_frames(matches)).mean(1).tolist()
    rows = [attribute_binding(read_picture(jury.judges, jury.reader, picture), toys) for picture in pictures]
    return [
        {"bound": float(r["binding"] == 1), "present": float(r["absent"] == 0), "binding": r["binding"], "fidelity": f}
        for r, f in zip(rows, fidelity, strict=True)
    ]


def run_crowd(folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path, sheet: Path) -> Rows:
    """One arm's pictures of one crowd, as a contact sheet too."""
    base, players = open_customised(folder, jury, toys, weights)
    pictures = draw_crowd(base, jury, players, plan, arm, sampling)
    contact_sheet([pictures[i : i + 8] for i in range(0, len(pictures), 8)]).save(sheet, quality=90)
    return read_crowd(jury, pictures, toys)


def draw_truth(toys: Toys, count: int) -> list[Image.Image]:
    """The world's own drawings of the same toys, in their automatic boxes: what the jury reads in them is the ceiling."""
    pictures = []
    for i in range(count):
        boxes = place_automatically(len(toys), i % count_layouts(len(toys), IN_A_ROW), IN_A_ROW)
        drawn = [
            Toy(kind, *looks, x=(box[0] + box[2]) / 2, ground=box[3] - 0.03, size=min(1.15 * (box[2] - box[0]), 0.85 * (box[3] - box[1])))
            for (kind, looks), box in zip(toys.items(), boxes, strict=True)
        ]
        place = list(BACKGROUNDS)[i % len(BACKGROUNDS)]
        pictures.append(Image.fromarray(draw_scene(Drawing(tuple(drawn), place, seed_for("drawing", i) % 2**31))[0]))
    return pictures


def pass_through(folder: Path, pictures: list[Image.Image]) -> list[Image.Image]:
    """Pictures as the base's autoencoder shows them: nothing that is decoded can be clearer."""
    base = load_base(folder_source(folder), torch.device("cpu"))
    return show(base, encode_pictures(base.vae, pictures, None).mean)


def run_known(folder: Path, jury: Jury, toys: Toys, plan: Plan, sampling: Sampling) -> Rows:
    """What the base itself draws when the toys' colors are said in words, without any finetuning."""
    base, players = open_customised(folder, jury, toys, None)
    return read_crowd(jury, draw_crowd(base, jury, players, plan, ARMS["plain"], sampling), toys)
