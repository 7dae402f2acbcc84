"""mix, finetune → runs/<combination>/sample: HLR's candidates (III-D), scored by our own metrics, best first."""

from dataclasses import replace

import torch
from PIL import Image

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.directing import hire_director
from tasks.shared.judging import open_picture_judge, require_judges
from tasks.shared.opening import open_base
from tasks.shared.paths import picks_path, run_folder
from tasks.shared.picks import describe_scores, read_candidates
from tasks.shared.prepared import read_prepared
from tasks.shared.sections import SampleSection
from tasks.shared.taking import take
from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.load import load_customisation
from vd_core.files import sha256_of, write_json
from vd_core.generation.guides import Guides, build_guides
from vd_core.generation.layouts import count_layouts, place_automatically
from vd_core.generation.pictures import generate_latents, show
from vd_core.generation.staging import cast_alone, draw_picture_with, set_stages
from vd_core.inputs.captioned import captioned_sheet
from vd_core.inputs.prompts import plain_prompt, scene_prompt
from vd_core.inputs.scenes import Scene
from vd_core.inputs.subjects import Subject
from vd_core.seeds import seed_for


def sample(section: SampleSection, name: str) -> None:
    """Sample, score and rank candidate pictures of all subjects together."""
    if section.finetune_from != name:
        take(section.finetune_from, name, "sample")
        return
    prepared, count = read_prepared(name), section.candidates
    subjects = prepared.subjects
    require_judges(section.judging, subjects)
    base = open_base(section.models, section.device, subjects)
    load_customisation(base, run_folder(name, "finetune"))
    related = section.related_prompts or ("",)
    prompts = [scene_prompt(subjects, related[i % len(related)]) for i in range(count)]
    seeds = [seed_for("candidate", section.seed, section.sampling_round, i) for i in range(count)]
    prompt_embeds = embed_prompts(base, prompts)
    guides = guide_candidates(base, subjects, [related[i % len(related)] for i in range(count)], section)
    base.let_go("text_encoder")
    pictures = draw_candidates(name, base, prompt_embeds, seeds, guides, section, subjects)
    base.let_go("vae")
    judge = open_picture_judge(name, section.judging, section.device, prepared.subjects)
    figures = [judge(picture=p, prompt=plain_prompt(q, subjects)) for p, q in zip(pictures, prompts, strict=True)]
    order = sorted(range(count), key=lambda i: -figures[i]["rank_score"])
    with replaced_folder(name, "sample") as folder:
        rows = []
        for number, i in enumerate(order, start=1):
            file = folder / f"{number:03d}.png"
            pictures[i].save(file)
            known_by = {"number": number, "file": file.name, "sha256": sha256_of(file)}
            rows.append(known_by | {"prompt": prompts[i], "seed": seeds[i], "figures": figures[i]})
        write_json(folder / "candidates.json", rows)
        captions = [describe_scores(tuple(s.name for s in subjects), c) for c in read_candidates(folder)]
        given = {s.name: own for s, own in zip(subjects, prepared.pictures, strict=True)}
        captioned_sheet(given, [pictures[i] for i in order], captions).save(folder / "sheet.jpg", quality=90)
    print(f"{count} candidates in {run_folder(name, 'sample')}/, ranked in sheet.jpg")
    if not picks_path(name).is_file():
        print(f"nobody has chosen yet: look at the sheet and choose by numbers, as this says: python -m tasks.commands.pick {name}")


def guide_candidates(base: Base, subjects: list[Subject], places: list[str], section: SampleSection) -> Guides | None:
    """A region for each subject of each candidate, in several layouts in turn, and its subjects alone if that is wanted; None if no layout is."""
    chosen, count = section.regions, len(subjects)
    layouts = min(chosen.layouts, count_layouts(count, chosen.most_in_a_row))
    if not layouts:
        return None
    rounds = [i // len(section.related_prompts or ("",)) for i in range(len(places))]  # every layout meets every place
    scenes = [Scene(place, {s.name: "" for s in subjects}, None, False, ()) for place in places]
    boxes = [place_automatically(count, r % layouts, chosen.most_in_a_row) for r in rounds]
    guides = build_guides(base, subjects, scenes, boxes, 1, chosen.repeat)
    return cast_alone(base, subjects, scenes, guides) if chosen.staged else guides


def draw_candidates(
    name: str,
    base: Base,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    guides: Guides | None,
    section: SampleSection,
    subjects: list[Subject],
) -> list[Image.Image]:
    """A picture a seed."""
    sampling = section.sampling
    if guides and guides.alone:
        sampling = replace(sampling, guidance_scale=section.regions.guidance_scale)
        director = hire_director(name, section.judging, section.device, subjects, section.regions)
        guides = set_stages(base, director, draw_picture_with(base, sampling), guides, seeds)
    regions, stage = (guides.regions, guides.stage) if guides else (None, None)
    latents = generate_latents(base, prompt_embeds, seeds, sampling.num_inference_steps, sampling.guidance_scale, regions, stage)
    base.let_go("unet")
    return show(base, latents, stage)


if __name__ == "__main__":
    run_stage(sample, SampleSection)
