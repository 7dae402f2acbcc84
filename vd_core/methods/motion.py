"""Motion customization (III-F): finetune image and motion modules on a reference clip, then keep the motion modules alone."""

from dataclasses import asdict
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNetMotionModel
from diffusers.training_utils import cast_training_params
from diffusers.utils import convert_state_dict_to_diffusers
from einops import rearrange
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

from vd_core.bases.encode import encode_pictures, tokenize
from vd_core.bases.memory import trained_at_once
from vd_core.bases.motion_unet import build_motion_unet
from vd_core.bases.stable_diffusion import Base
from vd_core.files import fingerprint_of, sampled_fingerprint
from vd_core.seeds import seed_for
from vd_core.settings import MotionSettings
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.losses import denoising_loss
from vd_core.training.parts import checkpoint_video_model

IMAGE_MODULES = r".*\.attentions\..*\.(to_q|to_k|to_v|to_out\.0)"


def build_motion_model(base: Base, lora_rank: int) -> UNetMotionModel:
    """The base generator with what learns, in float32: all motion modules T_m, and a LoRA on the image modules, I_m. The base lets go of both parts."""
    model = build_motion_unet(base.unet, base.motion_adapter)
    base.let_go("unet", "motion_adapter")
    model.add_adapter(LoraConfig(r=lora_rank, lora_alpha=lora_rank, init_lora_weights="gaussian", target_modules=IMAGE_MODULES))
    for name, parameter in model.named_parameters():
        if "motion_modules" in name:
            parameter.requires_grad_(True)
    cast_training_params(model, torch.float32)
    return model


def finetune_motion(base: Base, clip: list[Image.Image], prompt: str, settings: MotionSettings, progress: Progress) -> UNetMotionModel:
    """Finetune eps_{theta,I_m,T_m} on one reference clip V_m with its prompt P_m. Needs a base with a motion adapter."""
    schedule = settings.schedule
    moments = encode_pictures(base, clip)
    with torch.no_grad():
        prompt_embeds = base.text_encoder(tokenize(base, [prompt])).last_hidden_state.repeat_interleave(len(clip), 0)
    base.let_go("vae", "text_encoder")
    torch.manual_seed(seed_for("image modules", schedule.seed))
    model = build_motion_model(base, settings.lora_rank)
    parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
    accelerator = build_accelerator(schedule, base.device, base.dtype, progress)
    if schedule.gradient_checkpointing:
        checkpoint_video_model(model, parts=-(-len(clip) // trained_at_once(base)))
    prepared = accelerator.prepare(model)

    def loss_fn(generator: torch.Generator) -> dict[str, torch.Tensor]:
        latents = rearrange(moments.sample(torch.arange(len(clip)), generator), "f c h w -> 1 c f h w")
        noised = base.add_noise_to_clips(latents, generator)
        model_pred = prepared(noised.latents, noised.timesteps, prompt_embeds).sample
        return {"loss": denoising_loss(model_pred, noised.target).mean()}

    frozen = [p for p in model.parameters() if not p.requires_grad]
    decides = {**asdict(settings), "prompt": prompt, "frozen": sampled_fingerprint(frozen)}
    fingerprint = fingerprint_of(decides, [*parameters.values(), moments.mean, prompt_embeds])
    groups = [{"params": list(parameters.values()), "lr": schedule.learning_rate}]
    trained = Trained([prepared], parameters, groups, len(clip), "motion finetuning")
    optimise(accelerator, trained, loss_fn, schedule, progress, fingerprint)
    return model


def save_motion(model: UNetMotionModel, folder: Path) -> None:
    """Write T_m as `motion_adapter/` and I_m's LoRA as `image_modules/`; the module swap throws the second away."""
    model.save_motion_modules(folder / "motion_adapter")
    StableDiffusionPipeline.save_lora_weights(
        folder / "image_modules",
        unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(model, save_embedding_layers=False)),
    )
