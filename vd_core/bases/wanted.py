"""The files that a base is loaded from, part by part."""

from vd_core.bases.hub import where
from vd_core.hub import Wanted
from vd_core.settings import Source

TRANSFORMERS = ("model.safetensors", "model.safetensors.index.json")
DIFFUSERS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json")
PARTS = {
    "tokenizer": (("tokenizer.json", "vocab.json"),),
    "text_encoder": (("config.json",), TRANSFORMERS),
    "vae": (("config.json",), DIFFUSERS),
    "unet": (("config.json",), DIFFUSERS),
    "scheduler": (("scheduler_config.json",),),
}
"""Folder of the pipeline: its files, of each group of which one is enough."""


def wanted_parts(source: Source, motion: bool) -> list[Wanted]:
    """What `load_base` reads of `source`; the motion modules only if `motion`."""
    pipeline, encoder, adapter = source.pipeline, source.image_encoder, source.motion_adapter if motion else None
    wanted = [
        Wanted(part.replace("_", " "), where(pipeline), pipeline.revision, tuple(tuple(f"{part}/{f}" for f in group) for group in files))
        for part, files in PARTS.items()
    ]
    encoder_files = (("config.json",), TRANSFORMERS, ("preprocessor_config.json",))
    wanted.append(Wanted("image encoder", where(encoder), encoder.revision, encoder_files))
    if adapter:
        wanted.append(Wanted("motion modules", where(adapter), adapter.revision, (("config.json",), DIFFUSERS)))
    return wanted
