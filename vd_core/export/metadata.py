"""What an exported file says of itself in its header: `modelspec.*` (Stability AI's standard, 1.0.1), `ss_*` (kohya's sd-scripts) and our own.

No date is written, so that the same run gives the same bytes.
"""

import json
from dataclasses import dataclass

from vd_core.bases.stable_diffusion import read_config, read_resolution
from vd_core.export.low_rank import Lora
from vd_core.settings import Settings, Source

WIDTHS = {768: "stable-diffusion-v1", 1024: "stable-diffusion-v2"}
"""Families by the width of their text encoder."""
KOHYA_VERSIONS = {"stable-diffusion-v1": "sd_v1", "stable-diffusion-v2-512": "sd_v2", "stable-diffusion-v2-768-v": "sd_v2_v"}


@dataclass(frozen=True)
class Kind:
    """What programs ask of a base before they load a LoRA for it."""

    architecture: str
    resolution: int
    prediction_type: str


@dataclass(frozen=True)
class About:
    """What a file was made of. `tokens` are the subjects' words, such as "sks dog"; `prompts` whole; `figures` the metrics by generator.

    `pictures` is how many each subject had; `error` how far a LoRA is from what was trained, if that was none.
    """

    combination: str
    base: str
    source: Source
    kind: Kind
    license: str
    method: str
    tokens: tuple[str, ...]
    pictures: tuple[int, ...]
    prompts: tuple[str, ...]
    training: Settings
    refinetuning_steps: int
    figures: dict[str, dict[str, float]]
    error: float | None

    @property
    def title(self) -> str:
        return f"{self.combination}: {', '.join(self.tokens)}"


def read_kind(base: str, source: Source) -> Kind:
    """A base's kind, from its configurations; one of no published family is called by its preset's name."""
    width = read_config(source.pipeline, "text_encoder")["hidden_size"]
    prediction = read_config(source.pipeline, "scheduler").get("prediction_type", "epsilon")
    family = WIDTHS.get(width, base)
    if family == "stable-diffusion-v2":
        family += "-768-v" if prediction == "v_prediction" else "-512"
    return Kind(family, read_resolution(source), "v" if prediction == "v_prediction" else "epsilon")


def describe_base(about: About) -> str:
    """The base's path or repository, with its revision."""
    pipeline = about.source.pipeline
    return pipeline.path + (f" at {pipeline.revision}" if pipeline.revision else "")


def spec(about: About, suffix: str, implementation: str) -> dict[str, str]:
    """The `modelspec.*` keys, and ours under `videodreamer.*`."""
    fields = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{about.kind.architecture}/{suffix}",
        "implementation": implementation,
        "title": about.title,
        "resolution": f"{about.kind.resolution}x{about.kind.resolution}",
        "description": f"{', '.join(about.tokens)}, learned together by {about.method} on {describe_base(about)}",
        "license": about.license,
        "trigger_phrase": ", ".join(about.tokens),
        "usage_hint": "; ".join(about.prompts),
        "prediction_type": about.kind.prediction_type,
        "tags": ", ".join(("videodreamer", about.method, suffix)),
    }
    own = {
        "base": describe_base(about),
        "method": about.method,
        "tokens": json.dumps(about.tokens),
        "prompts": json.dumps(about.prompts),
        "steps": json.dumps({"finetune": about.training.schedule.steps, "refinetune": about.refinetuning_steps}),
        "figures": json.dumps(about.figures),
    }
    if about.error is not None:
        own["approximation_error"] = f"{about.error:.6f}"
    return {f"modelspec.{k}": v for k, v in fields.items()} | {f"videodreamer.{k}": v for k, v in own.items()}


def kohya_metadata(about: About, lora: Lora) -> dict[str, str]:
    """The `ss_*` keys that A1111, Forge and sd-scripts' tools read."""
    rank = str(next(iter(lora.values())).rank)
    schedule, side = about.training.schedule, about.kind.resolution
    kernels = any(f.down.dim() == 4 and f.down.shape[-1] > 1 for f in lora.values())
    seen = {f"{count}_{token}": {token: count} for token, count in zip(about.tokens, about.pictures, strict=True)}
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "ss_network_args": json.dumps({"conv_dim": rank, "conv_alpha": rank} if kernels else {}),
        "ss_output_name": about.combination,
        "ss_sd_model_name": describe_base(about),
        "ss_base_model_version": KOHYA_VERSIONS.get(about.kind.architecture, about.kind.architecture),
        "ss_v2": str(about.kind.architecture.startswith("stable-diffusion-v2")),
        "ss_resolution": f"({side}, {side})",
        "ss_unet_lr": str(schedule.learning_rate),
        "ss_text_encoder_lr": str(about.training.text_encoder_learning_rate),
        "ss_steps": str(schedule.steps + about.refinetuning_steps),
        "ss_seed": str(schedule.seed),
        "ss_num_train_images": str(sum(about.pictures)),
        "ss_tag_frequency": json.dumps(seen),
        "ss_training_comment": f"VideoDreamer, {about.method}",
    }
