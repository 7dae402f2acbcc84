"""The model card of an exported bundle, and how to use what is in it."""

import yaml

from tasks.report.figures import figures_table, in_words
from tasks.report.gather import Run
from tasks.shared.templates import read_template
from vd_core.export.metadata import About, describe_base
from vd_core.hub import is_local

SNIPPET = """\
from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.{load}
pipeline.load_lora_weights("{folder}")
{embeddings}pipeline("{prompt}").images[0].save("picture.png")"""


def write_snippet(about: About, folder: str, embeddings: list[str]) -> str:
    """The lines of Python that draw a picture with diffusers alone; `embeddings` are learned tokens that are loaded first."""
    path, revision = about.source.pipeline.path, about.source.pipeline.revision
    if path.endswith(".safetensors"):
        load = f'from_single_file("{path}")'
    else:
        load = f'from_pretrained("{path}"' + (f', revision="{revision}")' if revision else ")")
    lines = [f'pipeline.load_textual_inversion("{folder}/embeddings/{name}.safetensors", token="{name}")\n' for name in embeddings]
    prompt = about.prompts[0]
    for name in embeddings:
        prompt = prompt.replace(f" {name.removeprefix(about.combination + '-')} ", f" {name} ")
    escaped = prompt.replace('"', '\\"')
    return SNIPPET.format(load=load, folder=folder, embeddings="".join(lines), prompt=escaped)


def describe_error(error: float | None, exact: str) -> str:
    """How far the LoRA is from what was trained, if it was none; `exact` has the rest."""
    if error is None:
        return ""
    return f"The method trained no LoRA: the one here is {error:.1%} away from its weights (Frobenius norm). `{exact}` has the whole difference."


def front_matter(about: About) -> str:
    """The card's YAML: what a hub reads."""
    pipeline = about.source.pipeline
    front = {"license": about.license, "library_name": "diffusers", "pipeline_tag": "text-to-image"}
    front |= {} if is_local(pipeline.path) else {"base_model": pipeline.path}
    front |= {"instance_prompt": ", ".join(about.tokens), "tags": ["lora", "text-to-image", "text-to-video", "videodreamer"]}
    front |= {"widget": [{"text": prompt, "output": {"url": "sheet.jpg"}} for prompt in about.prompts[:1]]}
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()


def build_card(about: About, run: Run, files: list[tuple[str, str]], snippet: str, error: str) -> str:
    """The card: front matter, pictures, use, training, license."""
    head, means = figures_table(run.means)
    return read_template(__file__, "card.md").render(
        front=front_matter(about),
        title=about.title,
        tokens=about.tokens,
        method=in_words(about.method),
        base=describe_base(about),
        videos=[f"{in_words(v.generator)}: {one_line(v.prompt)}, seed {v.seed}" for v in run.videos],
        files=files,
        snippet=snippet,
        error=error,
        steps=about.training.schedule.steps,
        refinetuning_steps=about.refinetuning_steps,
        pictures=sum(about.pictures),
        head=head,
        means=means,
        license=about.license,
    )


def one_line(text: str) -> str:
    """A text without line breaks, which would end a Markdown list."""
    return " ".join(text.split())
