"""data, finetune → runs/<combination>/sample: HLR's candidates (III-D), scored by our own metrics, best first."""

import json
from pathlib import Path

from tasks.shared.command import open_base, open_subjects, replaced_folder, run_folder, run_stage
from tasks.shared.params import Params
from tasks.shared.picks import Picks, write_picks
from tasks.shared.training import references
from vd_core.bases.stable_diffusion import find_source
from vd_core.customisation.load import load_customisation
from vd_core.files import sha256_of
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.pictures import numbered_sheet
from vd_core.inputs.subjects import mixed_prompt, plain_prompt
from vd_core.metrics.report import judge_picture, load_judges
from vd_core.seeds import seed_for


def sample(params: Params, name: str) -> None:
    """Sample, score and rank candidate pictures of all subjects together."""
    combination, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    load_customisation(base, run_folder(name, "finetune"))
    related, count = params.hlr.related_prompts or ("",), params.hlr.candidates
    prompts = [f"{mixed_prompt(subjects)} {related[i % len(related)]}".strip() for i in range(count)]
    seeds = [seed_for("candidate", params.seed, combination.sampling_round, i) for i in range(count)]
    render = params.render
    pictures = generate_pictures(base, prompts, seeds, render.num_inference_steps, render.guidance_scale)
    judges = load_judges(find_source(params.base).judges)
    known = references(judges, base, subjects)
    figures = [judge_picture(judges, p, known, plain_prompt(q, subjects)) for p, q in zip(pictures, prompts, strict=True)]
    order = sorted(range(count), key=lambda i: -figures[i]["rank_score"])
    with replaced_folder(run_folder(name, "sample")) as folder:
        rows = []
        for number, i in enumerate(order, start=1):
            file = folder / f"{number:03d}.png"
            pictures[i].save(file)
            known_by = {"number": number, "file": file.name, "sha256": sha256_of(file)}
            rows.append(known_by | {"prompt": prompts[i], "seed": seeds[i], "figures": figures[i]})
        (folder / "candidates.json").write_text(json.dumps(rows, indent=1) + "\n")
        numbered_sheet([pictures[i] for i in order]).save(folder / "sheet.jpg", quality=90)
    picks = Path("picks") / f"{name}.yaml"
    if not picks.exists():
        write_picks(Picks(approval="waiting"), picks)
    print(f"{count} candidates in {run_folder(name, 'sample')}/, ranked in sheet.jpg")


if __name__ == "__main__":
    run_stage(sample)
