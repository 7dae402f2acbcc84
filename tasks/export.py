"""everything → runs/<combination>/export: the weights for other programs, a model card, and a page that shows the whole run."""

import shutil
from pathlib import Path

from tasks.report.card import build_card, describe_error, write_snippet
from tasks.report.gather import Run, gather
from tasks.report.page import build_page
from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.opening import open_base
from tasks.shared.paths import page_path, run_folder
from tasks.shared.sections import ExportSection
from vd_core.bases.stable_diffusion import read_tokenizer
from vd_core.customisation.weights import LORA_FILE, find_weights
from vd_core.export.bundle import differences_path, save_embeddings, save_full_differences, save_lora_files, save_motion_files
from vd_core.export.low_rank import approximate, read_differences, read_lora
from vd_core.export.metadata import About, read_kind
from vd_core.files import write_text
from vd_core.inputs.scenes import read_scene, spoken_prompt

USES = {
    "index.html": "this run on one page",
    "pytorch_lora_weights.safetensors": "the subjects, for diffusers: load_lora_weights",
    "kohya/{name}.safetensors": "the subjects, for A1111 and Forge (models/Lora) and ComfyUI (models/loras)",
    "kohya/{name}_full.safetensors": "the whole difference, in the same places",
    "embeddings": "the learned tokens: textual inversions for all of them",
    "motion_adapter": "the clip's motion, for diffusers: MotionAdapter",
    "animatediff/{name}_motion.safetensors": "the clip's motion, for AnimateDiff-Evolved (models/animatediff_models)",
    "image_modules": "Naive-motion's image modules, for diffusers",
}
"""What may be in a bundle, and for whom."""


def export(section: ExportSection, name: str) -> None:
    """Write a combination's results for other programs and for people."""
    run = gather(name, section.finetune_from)
    swap = run_folder(name, "swap")
    with replaced_folder(name, "export") as folder:
        error = save_weights(section, name, run, folder)
        about = describe(section, name, run, error)
        tokenizer = read_tokenizer(section.models.source.pipeline)
        ids = {s.placeholder_token: tokenizer(s.placeholder_token, add_special_tokens=False).input_ids[0] for s in run.prepared.subjects}
        embeddings = save_embeddings(swap, ids, folder, about)
        if (swap / "motion_adapter").is_dir():
            save_motion_files(swap / "motion_adapter", folder, about)
        if (swap / "image_modules").is_dir():
            shutil.copytree(swap / "image_modules", folder / "image_modules")
        shutil.copy(run_folder(name, "render") / "sheet.jpg", folder)
        write_documents(section, name, run, about, embeddings, folder)
    print(f"for other programs: {run_folder(name, 'export')}/; the run on one page: {page_path(name)}")


def save_weights(section: ExportSection, name: str, run: Run, folder: Path) -> float | None:
    """Write the subjects' weights; how far the LoRA is from them, None if they are one."""
    swap = run_folder(name, "swap")
    if find_weights(swap).name == LORA_FILE:
        save_lora_files(read_lora(swap), folder, describe(section, name, run, None))
        return None
    exact = section.models.model_copy(update={"precision": "float32"})
    differences = read_differences(open_base(exact, section.device, run.prepared.subjects), swap)
    lora, error = approximate(differences)
    about = describe(section, name, run, error)
    save_lora_files(lora, folder, about)
    save_full_differences(differences, folder, about)
    print(f"{section.method} trained no LoRA: the exported one is {error:.1%} away from its weights")
    return error


def describe(section: ExportSection, name: str, run: Run, error: float | None) -> About:
    """What the files say of themselves."""
    subjects, source = run.prepared.subjects, section.models.source
    return About(
        combination=name,
        base=section.base,
        source=source,
        kind=read_kind(section.base, source),
        license=section.license,
        method=section.method,
        tokens=tuple(f"{s.placeholder_token} {s.class_noun}" for s in subjects),
        pictures=tuple(len(own) for own in run.prepared.pictures),
        prompts=tuple(spoken_prompt(subjects, read_scene(raw)) for raw in section.prompts),
        training=section.training,
        refinetuning_steps=section.refinetuning_steps if run.chosen else 0,
        figures=run.means,
        error=error,
    )


def write_documents(section: ExportSection, name: str, run: Run, about: About, embeddings: list[str], folder: Path) -> None:
    """Write the model card and the page."""
    whole = {path.format(name=name): use for path, use in USES.items()}
    files = [(path, use) for path, use in whole.items() if (folder / path).exists() or path == "index.html"]
    error = describe_error(about.error, str(differences_path(Path(), name)))
    write_text(folder / "README.md", build_card(about, run, files, write_snippet(about, ".", embeddings), error))
    snippet = write_snippet(about, str(run_folder(name, "export")), embeddings)
    write_text(folder / "index.html", build_page(name, section, run, files, snippet, error))


if __name__ == "__main__":
    run_stage(export, ExportSection)
