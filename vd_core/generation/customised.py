"""A customized generator: a base, the subjects' LoRA over it, and the motion modules that the swap chose (Eq. 4)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from diffusers import MotionAdapter

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.load import load_customisation
from vd_core.customisation.lora import fuse
from vd_core.customisation.weights import LORA_FILE, find_weights
from vd_core.errors import InputError
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import unroll

Generate = Callable[..., torch.Tensor]
"""(the embeddings `[n + 1, length, width]` of the empty prompt and of the clips', their seeds, `guides=` theirs) to clips `[n, f, 3, h, w]` in [-1, 1]."""


def customise_text2video_zero(
    base: Base,
    folder: Path,
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    motion_field_strength: tuple[float, float],
    t_forward: int,
    t_warp: int,
    fast: bool,
    t_carried: int | None = None,
    t_events: int | None = None,
) -> Generate:
    """Text2Video-Zero with the finetuned weights of `folder`. `base` is changed in place: take a fresh one for each generator."""
    load_customisation(base, folder)
    return partial(
        generate_text2video_zero,
        base,
        unroll(base.unet),
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        motion_field_strength=motion_field_strength,
        t_forward=t_forward,
        t_warp=t_warp,
        fast=fast,
        t_carried=t_carried,
        t_events=t_events,
    )


def customise_animatediff(
    base: Base, folder: Path, num_frames: int, num_inference_steps: int, guidance_scale: float, fast: bool
) -> Generate:
    """AnimateDiff with the finetuned weights of `folder`, and its `motion_adapter/` in place of the base's where there is one.

    With `image_modules/` in the folder (Naive-motion) these lie under the subjects'. InputError if there are no motion modules at all.
    """
    own = folder / "motion_adapter"
    adapter = MotionAdapter.from_pretrained(own, use_safetensors=True, torch_dtype=base.dtype) if own.is_dir() else base.motion_adapter
    if adapter is None:
        raise InputError(
            "AnimateDiff needs motion modules, and this base has none; take another generator, or a base that has some, as sd15"
        )
    names = []
    if find_weights(folder).name != LORA_FILE:
        load_customisation(base, folder)
    pipeline = build_animatediff(base, adapter.to(base.device))
    if find_weights(folder).name == LORA_FILE:
        pipeline.load_lora_weights(folder, adapter_name="subjects")
        names.append("subjects")
    if (folder / "image_modules").is_dir():
        pipeline.load_lora_weights(folder / "image_modules", adapter_name="reference")
        names.append("reference")
    if names:
        fuse(pipeline, names)
    base.let_go("unet", "motion_adapter")  # the video model holds their tensors
    return partial(
        generate_animatediff,
        base,
        unroll(pipeline.unet),
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        fast=fast,
    )
