"""Motion customization (III-F): finetune the motion modules for a reference clip; they alone are kept.

Literally, I_m and T_m learn together from the clip. T_m alone can learn from copies that share its motion and none of its looks: then nothing has to be
explained away by I_m, which else takes part of the motion with it.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline, UNetMotionModel
from diffusers.training_utils import cast_training_params
from diffusers.utils import convert_state_dict_to_diffusers
from einops import rearrange
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

from vd_core.bases.attention import training_attention
from vd_core.bases.encode import tokenize
from vd_core.bases.latents import Moments, encode_pictures
from vd_core.bases.memory import trained_at_once
from vd_core.bases.motion_unet import build_motion_unet
from vd_core.bases.stable_diffusion import Base
from vd_core.files import fingerprint_of, sampled_fingerprint
from vd_core.inputs.copies import Copy
from vd_core.seeds import seed_for
from vd_core.settings import MotionSettings
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.losses import debiased_loss, denoising_loss
from vd_core.training.parts import checkpoint_video_model

Validate = Callable[[UNetMotionModel, int], dict[str, float]]
IMAGE_MODULES = r".*\.attentions\..*\.(to_q|to_k|to_v|to_out\.0)"
NOISIER, DEBIASED = 0.3, 0.5
"""From copies: timesteps are drawn beyond the first 30%, where motion is decided; what the debiased loss counts beside the plain one."""


def build_motion_model(base: Base, lora_rank: int) -> UNetMotionModel:
    """The base generator with what learns, in float32: all motion modules T_m, and, if its rank is above 0, a LoRA on the image modules, I_m.

    The base lets go of both parts.
    """
    model = build_motion_unet(base.unet, base.motion_adapter)
    base.let_go("unet", "motion_adapter")
    if lora_rank:
        model.add_adapter(LoraConfig(r=lora_rank, lora_alpha=lora_rank, init_lora_weights="gaussian", target_modules=IMAGE_MODULES))
    for name, parameter in model.named_parameters():
        if "motion_modules" in name:
            parameter.requires_grad_(True)
    cast_training_params(model, torch.float32)
    return model


def encode_clips(base: Base, clips: Iterable[Copy]) -> tuple[Moments, list[str]]:
    """The moments `[clips * f, ...]` of clips of one length, encoded one by one, and their prompts. They come once: the latents' cache keeps none."""
    found, prompts = [], []
    for clip in clips:
        found.append(encode_pictures(base.vae, [Image.fromarray(frame) for frame in clip.frames], None))
        prompts.append(clip.prompt)
    return Moments(torch.cat([m.mean for m in found]), torch.cat([m.std for m in found])), prompts


@torch.no_grad()
def embed_each(base: Base, prompts: list[str]) -> dict[str, torch.Tensor]:
    """E_T of every different prompt, `[1, length, width]`."""
    return {p: base.text_encoder(tokenize(base, [p])).last_hidden_state for p in dict.fromkeys(prompts)}


def finetune_motion(
    base: Base, clips: Iterable[Copy], settings: MotionSettings, progress: Progress, validate: Validate | None = None
) -> UNetMotionModel:
    """Finetune eps_{theta,I_m,T_m} on the reference clip V_m with its prompt P_m, or T_m alone on copies of it. Needs a base with a motion adapter.

    `validate(model, step)` gives figures, `score` among them, as often as the settings say.
    """
    schedule, copied = settings.schedule, settings.copies > 0
    moments, prompts = encode_clips(base, clips)
    embeds = embed_each(base, prompts)
    base.let_go("vae", "text_encoder")
    torch.manual_seed(seed_for("image modules", schedule.seed))
    model = build_motion_model(base, 0 if copied else settings.lora_rank)
    parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
    accelerator = build_accelerator(schedule, base.device, base.dtype, progress)
    frames = len(moments.mean) // len(prompts)
    if schedule.gradient_checkpointing:
        checkpoint_video_model(model, parts=-(-frames // trained_at_once(base)))
    prepared = accelerator.prepare(model)

    def loss_fn(generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = int(torch.randint(len(prompts), (1,), generator=generator)) if copied else 0
        latents = rearrange(moments.sample(torch.arange(frames) + frames * chosen, generator), "f c h w -> 1 c f h w")
        noised = base.add_noise_to_clips(latents, generator, NOISIER if copied else 0.0)
        model_pred = prepared(noised.latents, noised.timesteps, embeds[prompts[chosen]].expand(frames, -1, -1)).sample
        loss = denoising_loss(model_pred, noised.target).mean()
        if not copied:
            return {"loss": loss}
        anchor = int(torch.randint(frames, (1,), generator=generator))
        debiased = DEBIASED * debiased_loss(model_pred, noised.target, anchor).mean()
        return {"loss": loss + debiased, "plain": loss, "debiased": debiased}

    frozen = [p for p in model.parameters() if not p.requires_grad]
    decides = {**asdict(settings), "prompts": prompts, "frozen": sampled_fingerprint(frozen)}
    fingerprint = fingerprint_of(decides, [*parameters.values(), moments.mean, *embeds.values()])
    groups = [{"params": list(parameters.values()), "lr": schedule.learning_rate}]
    trained = Trained([prepared], parameters, groups, frames, "motion finetuning")
    validated = replace(progress, validate=partial(validate, model)) if validate else progress
    with training_attention(model, base.device):
        optimise(accelerator, trained, loss_fn, schedule, validated, fingerprint, settings.validation)
    return model


def whole_clip(clip: list[Image.Image], prompt: str) -> Copy:
    """V_m and P_m."""
    return Copy(np.stack([np.array(frame) for frame in clip]), prompt)


def save_motion(model: UNetMotionModel, folder: Path) -> None:
    """Write T_m as `motion_adapter/` and I_m's LoRA, if it learned, as `image_modules/`; the module swap throws the second away."""
    model.save_motion_modules(folder / "motion_adapter")
    if not getattr(model, "peft_config", None):
        return
    StableDiffusionPipeline.save_lora_weights(
        folder / "image_modules",
        unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(model, save_embedding_layers=False)),
    )
