"""One page of everything that a run made, whole in itself: it opens from a file, without a network, on a phone too."""

from typing import Any

from PIL import Image

from tasks.report.charts import HEIGHT, WIDTH, Chart, draw, read_columns
from tasks.report.figures import figures_table, in_words, with_direction
from tasks.report.gather import Run, Video
from tasks.report.pictures import SMALL, embed_file, embed_picture
from tasks.shared.paths import run_folder
from tasks.shared.picks import Candidate
from tasks.shared.sections import ExportSection, as_yaml
from tasks.shared.templates import read_template
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.ways import says_a_way

TRAININGS = {"finetune": "Finetuning", "refinetune": "Re-finetuning", "motion": "Motion finetuning"}
SCORES = ("score", "fidelity", "text_fidelity")
THUMBNAIL, TILE, FRAME = 192, 160, 512
"""Sides in pixels of a given picture, a candidate and a frame, at most."""


def build_page(name: str, section: ExportSection, run: Run, files: list[tuple[str, str]], snippet: str, error: str) -> str:
    """The page's HTML. `files` are what was exported and for whom, `snippet` how to use it, `error` how far a LoRA is from what was learned."""
    return read_template(__file__, "page.html").render(
        name=name,
        subjects=[describe_subject(run, i) for i in range(len(run.prepared.subjects))],
        facts=describe_facts(name, section),
        pixelated=run.prepared.pictures[0][0].width <= SMALL,
        longest=max(len(v.frames) for v in run.videos),
        fps=section.fps,
        columns=[{"name": in_words(g), "settings": describe_generator(g, section)} for g in run.generators],
        rows=[{"prompt": p, "videos": [describe_video(name, run, p, g) for g in run.generators]} for p in run.prompts],
        head=figures_table(run.means)[0],
        means=figures_table(run.means)[1],
        candidates=[describe_candidate(c, run) for c in run.candidates],
        choice=describe_choice(run),
        charts=build_charts(name, section.finetune_from),
        width=WIDTH,
        height=HEIGHT,
        folder=run_folder(name, "export"),
        files=files,
        snippet=snippet,
        error=error,
        settings=as_yaml(section),
    )


def describe_facts(name: str, section: ExportSection) -> list[str]:
    """What the run is of, in short."""
    taken = [f"finetuned subjects of {section.finetune_from}"] * (section.finetune_from != name)
    return [f"base {section.base}", f"method {in_words(section.method)}", f"{section.training.schedule.steps} steps", *taken]


def describe_subject(run: Run, i: int) -> dict[str, Any]:
    """A subject's words and given pictures."""
    subject, pictures = run.prepared.subjects[i], run.prepared.pictures[i]
    embedded = [embed_picture(p, THUMBNAIL) for p in pictures]
    return {"words": subject.class_noun, "token": subject.instance_prompt, "pictures": embedded}


def describe_generator(generator: str, section: ExportSection) -> str:
    """What a generator's clips were sampled with."""
    render, staged = section.render, section.regions.staged and any(read_scene(raw).actions for raw in section.prompts)
    frames = render.animatediff_frames if generator == "animatediff" else render.text2video_zero_frames
    scale = section.regions.guidance_scale if staged else section.sampling.guidance_scale
    shared = f"{frames} frames, {render.num_inference_steps} steps, guidance {scale:g}"
    if staged:
        shared += ", each subject drawn alone first"
    if render.seeds_tried > 1:
        shared += f", best of {render.seeds_tried} seeds"
    return shared + describe_motion(generator, section)


def describe_motion(generator: str, section: ExportSection) -> str:
    """What moves a generator's clips: their subjects' own words, the reference clip's way, its motion modules, the motion field, or nothing worth a word."""
    if section.render.motion_from_words and all(says_a_way(read_scene(raw)) for raw in section.prompts):
        return "; each goes as its own words say"
    if section.render.motion_from_clip:
        return f"; goes the way of “{section.motion_prompt}”"
    if generator == "animatediff":
        return f"; motion of “{section.motion_prompt}”" if section.motion_finetuned else ""
    left, up = section.render.motion_field_strength
    return f", moves {left:g} and {up:g} of 512 pixels a frame"


def describe_video(name: str, run: Run, prompt: str, generator: str) -> dict[str, Any] | None:
    """A clip's frames, metrics and file; None if there is no such clip."""
    video = next((v for v in run.videos if (v.prompt, v.generator) == (prompt, generator)), None)
    if video is None:
        return None
    return {
        "name": video.name,
        "generator": in_words(generator),
        "seed": video.seed,
        "frames": [embed_picture(f, FRAME) for f in video.frames],
        "figures": described_figures(video),
        "mp4": embed_file(run_folder(name, "encode") / f"{video.name}.mp4", "video/mp4"),
    }


def described_figures(video: Video) -> list[tuple[str, str]]:
    """A clip's metrics by name, with the direction that is better."""
    return [(with_direction(n), f"{v:.3f}") for n, v in video.figures.items()]


def describe_candidate(candidate: Candidate, run: Run) -> dict[str, Any]:
    """One tile of the sheet of candidates."""
    score = candidate.figures.get("rank_score")
    return {
        "number": candidate.number,
        "prompt": candidate.prompt,
        "chosen": candidate.number in run.chosen,
        "score": f"{score:.2f}" if score is not None else "",
        "picture": embed_picture(Image.open(candidate.path), TILE),
    }


def describe_choice(run: Run) -> str:
    """Who chose what."""
    numbers = ", ".join(map(str, run.chosen))
    return f"Chosen by {run.picks.chosen_by}: {numbers}." if numbers else "None was chosen: the finetuned weights were kept."


def build_charts(name: str, owner: str) -> list[Chart]:
    """Losses and validations of every training that ran; those of the subjects in the `owner`'s folders."""
    charts = []
    for stage, title in TRAININGS.items():
        folder = run_folder(name if stage == "motion" else owner, stage)
        charts.append(draw(f"{title}: losses", read_columns(folder / "losses.csv"), logarithmic=True))
        charts.append(draw(f"{title}: validations", read_columns(folder / "validation.csv", SCORES), logarithmic=False))
    return [c for c in charts if c]
