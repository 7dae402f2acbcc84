"""The embedded base's `MotionAdapter`: trained on drawn clips with the U-Net frozen, as AnimateDiff's is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, UNet2DConditionModel, UNetMotionModel
from einops import rearrange
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.bases.noise import add_noise_at
from vd_core.toybox.pretraining.autoencoder import to_tensor
from vd_core.toybox.pretraining.tokens import tokenize
from vd_core.toybox.pretraining.trainer import fit
from vd_core.toybox.world.crowds import sample_crowd
from vd_core.toybox.world.draw import CLIP_FRAMES, draw_clip, in_motion
from vd_core.toybox.world.scenes import MOTIONS, Scene, caption, sample_scene

BATCH = 2
SEED, LAST_OFFSET, OWN_OFFSET = 400_000_000, 40_000_000, 50_000_000
SampleTimesteps = Callable[[int, DDPMScheduler, torch.Generator], torch.Tensor]


def build_motion_adapter(unet: UNet2DConditionModel) -> MotionAdapter:
    """An untrained adapter for `unet`, one temporal attention a module."""
    return MotionAdapter(
        block_out_channels=tuple(unet.config.block_out_channels),
        motion_layers_per_block=unet.config.layers_per_block,
        motion_mid_block_layers_per_block=1,
        motion_num_attention_heads=4,
        motion_norm_num_groups=16,
        motion_max_seq_length=32,
        use_motion_mid_block=True,
    )


def clip_scene(index: int) -> Scene:
    """The ground truth of clip `index`: one or two toys that all do one motion; motions take turns."""
    rng = np.random.default_rng([SEED + index, 6])
    scene = sample_scene(SEED + index, count=1 if rng.random() < 0.6 else 2, collages=False)
    return in_motion(scene, list(MOTIONS)[index % len(MOTIONS)])


def own_motion_scene(index: int) -> Scene:
    """The ground truth of clip `index`: one to three toys, side by side or wherever there is room; in half of the clips each does something of its own."""
    rng = np.random.default_rng([SEED + index, 7])
    count = int(rng.choice([1, 2, 3], p=[0.35, 0.5, 0.15]))
    scattered = rng.random() < 0.3
    scene = sample_crowd(SEED + index, count) if scattered else sample_scene(SEED + index, count, collages=False)
    if rng.random() < 0.5:
        return replace(scene, toys=tuple(replace(t, motion=str(rng.choice(list(MOTIONS)))) for t in scene.toys))
    return in_motion(scene, list(MOTIONS)[index % len(MOTIONS)])


def sample_high_timesteps(count: int, noise_scheduler: DDPMScheduler, generator: torch.Generator) -> torch.Tensor:
    """`[count]` logit-normal timesteps with most in the noisier half: below it a clip shows its motion by itself, and how it moves is hardly learned."""
    share = torch.sigmoid(0.8 + torch.randn(count, generator=generator))
    return (share * noise_scheduler.config.num_train_timesteps).long()


def sample_even_timesteps(count: int, noise_scheduler: DDPMScheduler, generator: torch.Generator) -> torch.Tensor:
    """`[count]` timesteps, each as often as any other: in the less noisy half the frames agree on their details."""
    return torch.randint(noise_scheduler.config.num_train_timesteps, (count,), generator=generator)


def train_motion_adapter(
    folder: Path,
    unet: UNet2DConditionModel,
    noise_scheduler: DDPMScheduler,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    text_encoder: CLIPTextModel,
    steps: int,
    start: MotionAdapter | None = None,
    batch: int = BATCH,
    sample_timesteps: SampleTimesteps = sample_high_timesteps,
    offset: int = 0,
    scene_of: Callable[[int], Scene] = clip_scene,
) -> Path:
    """The U-Net's own loss, over the clips `scene_of` gives from index `offset` on; only the motion modules learn, from nothing or from `start`."""
    torch.manual_seed(2)
    model = UNetMotionModel.from_unet2d(unet, start or build_motion_adapter(unet))
    model.freeze_unet2d_params()

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        scenes = [scene_of(offset + step * batch + i) for i in range(batch)]
        with torch.no_grad():
            pixel_values = to_tensor(np.concatenate([draw_clip(s) for s in scenes]))
            latents = vae.encode(pixel_values).latent_dist.mean.float() * vae.config.scaling_factor
            latents = rearrange(latents, "(b f) c h w -> b c f h w", f=CLIP_FRAMES)
            captions = [caption(s, np.random.default_rng([s.seed, 9])) for s in scenes]
            encoder_hidden_states = text_encoder(tokenize(tokenizer, captions)).last_hidden_state
        noise = torch.randn(latents.shape, generator=generator)
        timesteps = sample_timesteps(batch, noise_scheduler, generator)
        noised = add_noise_at(noise_scheduler, latents, noise, timesteps)
        encoder_hidden_states = encoder_hidden_states.repeat_interleave(CLIP_FRAMES, 0)
        model_pred = model(noised.latents, timesteps, encoder_hidden_states).sample
        return {"loss": F.mse_loss(model_pred.float(), noised.target)}

    return fit("motion", model, loss_fn, folder, steps, peak_lr=5e-4, ema_decay=0.998)
