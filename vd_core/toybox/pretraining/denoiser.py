"""The embedded base's `UNet2DConditionModel`: v-prediction on cached latents, with classifier-free guidance dropout."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.bases.noise import add_noise_at
from vd_core.toybox.pretraining.autoencoder import to_tensor
from vd_core.toybox.pretraining.encoders import WIDTH
from vd_core.toybox.pretraining.tokens import MAX_TOKENS, tokenize
from vd_core.toybox.pretraining.trainer import ema_weights, fit
from vd_core.toybox.world.crowds import sample_crowd
from vd_core.toybox.world.draw import draw_scene, in_motion, pose_at
from vd_core.toybox.world.scenes import Scene, caption, sample_scene

BATCH = 32
SEED = 300_000_000
POOL = 65_536  # pictures whose latents are kept; captions are written anew each time
LATENTS = (8, 16, 16)
MOST_SIDE_BY_SIDE = 4
CAPTION_DROPOUT = 0.1
TEXT_OFFSET = 1_000_000  # the second training's steps draw other captions and other orders


@dataclass(frozen=True)
class Mixture:
    """Which pictures a pool holds: the range of their seeds, the odds of one toy, two, and so on (None: the world's own), the share in which all slide.

    `spread` is the share in which they stand in two rows or wherever there is room; five and six always do.
    """

    offset: int = 0
    crowds: tuple[float, ...] | None = None
    slides: float = 0.0
    spread: float = 0.0


WORLD = Mixture()
CROWDED = Mixture(10_000_000, (0.25, 0.58, 0.13, 0.04))
SLIDING = Mixture(20_000_000, CROWDED.crowds, slides=0.4)
SPREAD = Mixture(30_000_000, (0.15, 0.35, 0.18, 0.2, 0.04, 0.08), slides=0.2, spread=0.5)


def build_unet() -> UNet2DConditionModel:
    """The untrained U-Net: three levels, attention on the two upper ones and in the middle; cross-frame attention acts on those."""
    return UNet2DConditionModel(
        sample_size=LATENTS[1],
        in_channels=LATENTS[0],
        out_channels=LATENTS[0],
        block_out_channels=(64, 128, 256),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=(1, 2, 4),
        norm_num_groups=16,
    )


def build_noise_scheduler() -> DDPMScheduler:
    """Stable Diffusion's noise schedule, predicting v as Stable Diffusion 2.1 does."""
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        steps_offset=1,
    )


class LatentPool:
    """Scaled latents of POOL drawn pictures of a mixture, float16 on disk, each computed once, by whoever needs it first."""

    def __init__(self, folder: Path, vae: AutoencoderKL, mixture: Mixture = WORLD):
        folder.mkdir(parents=True, exist_ok=True)
        self.vae, self.mixture = vae, mixture
        self.latents = _open_memmap(folder / "latents.npy", np.float16, (POOL, *LATENTS))
        self.ready = _open_memmap(folder / "ready.npy", np.bool_, (POOL,))

    def scene(self, index: int) -> Scene:
        """The ground truth of picture `index`."""
        rng, crowds = np.random.default_rng([index, 5]), self.mixture.crowds
        count = int(rng.choice(len(crowds), p=crowds)) + 1 if crowds else None
        if count and self.mixture.spread and (count > MOST_SIDE_BY_SIDE or rng.random() < self.mixture.spread):
            return sample_crowd(SEED + self.mixture.offset + index, count)
        scene = sample_scene(SEED + self.mixture.offset + index, count)
        if not scene.regions and rng.random() < self.mixture.slides:
            scene = in_motion(scene, str(rng.choice(["left", "right"])))
        return scene

    def get(self, indices: np.ndarray) -> torch.Tensor:
        """Float32 latents `[len(indices), *LATENTS]`."""
        missing = indices[~self.ready[indices]]
        if len(missing):
            self.fill(missing)
        return torch.from_numpy(self.latents[indices].astype(np.float32))

    @torch.no_grad()
    def fill(self, indices: np.ndarray) -> None:
        """Compute the latents of some pictures."""
        pictures = np.stack([draw_scene(self.scene(int(i)))[0] for i in indices])
        posterior = self.vae.encode(to_tensor(pictures)).latent_dist
        self.latents[indices] = (posterior.mean.float() * self.vae.config.scaling_factor).numpy()
        self.ready[indices] = True


def _open_memmap(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    mode = "r+" if path.exists() else "w+"
    return np.lib.format.open_memmap(path, mode, dtype, shape)


def choose_indices(step: int, batch: int) -> np.ndarray:
    """Which pictures of the pool a step sees: each once, in order, then at random."""
    start = step * batch
    if start + batch <= POOL:
        return np.arange(start, start + batch)
    return np.random.default_rng([step, 3]).choice(POOL, batch, replace=False)


def write_captions(scenes: list[Scene], step: int) -> list[str]:
    """A fresh caption for each picture; some are empty, which teaches guidance its unconditional half."""
    rng = np.random.default_rng([step, 4])
    texts = [caption_that_fits(s, rng) for s in scenes]
    return ["" if rng.random() < CAPTION_DROPOUT else t for t in texts]


def caption_that_fits(scene: Scene, rng: np.random.Generator) -> str:
    """A caption that the text encoder reads whole: of six toys most say too much. If none of twenty is, the shortest."""
    texts = [caption(scene, rng)]
    while count_words(texts[-1]) > MAX_TOKENS - 2 and len(texts) < 20:
        texts.append(caption(scene, rng))
    return min(texts, key=count_words)


def count_words(text: str) -> int:
    """How many tokens a caption has between its start and its end."""
    return len(text.replace(",", " ,").split())


def weigh_toys(scenes: list[Scene], more: float) -> torch.Tensor:
    """How much each latent of the pictures counts, `[b, 1, h, w]` with a mean of 1: by `more` times more where a toy is; a collage's all alike."""
    weights = 1 + more * torch.from_numpy(np.stack([find_toys(s) for s in scenes])).float()[:, None]
    return weights / weights.mean()


def find_toys(scene: Scene) -> np.ndarray:
    """Where the toys of a picture are, roughly: `[h, w]` of bool."""
    found, centers = np.full(LATENTS[1:], bool(scene.regions)), (np.arange(LATENTS[1]) + 0.5) / LATENTS[1]
    for toy in scene.toys:
        pose = pose_at(toy, scene.phase)
        size, ground = toy.size * pose.scale, toy.ground - pose.lift
        across = np.abs(centers - toy.x - pose.dx) < 0.55 * size + 0.03
        found |= ((centers > ground - 1.1 * size) & (centers < ground + 0.03))[:, None] & across
    return found


def sample_timesteps(count: int, noise_scheduler: DDPMScheduler, generator: torch.Generator) -> torch.Tensor:
    """`[count]` logit-normal timesteps: most in the middle, where it is decided what stands in the picture (Esser et al., arXiv:2403.03206)."""
    share = torch.sigmoid(torch.randn(count, generator=generator))
    return (share * noise_scheduler.config.num_train_timesteps).long()


def train_unet(
    folder: Path,
    pool: LatentPool,
    tokenizer: CLIPTokenizer,
    text_encoder: CLIPTextModel,
    steps: int,
    start: UNet2DConditionModel | None = None,
    train_text: bool = False,
    peak_lr: float = 6e-4,
    toys_count_more: float = 0.0,
) -> Path:
    """Plain denoising loss in the scheduler's prediction type, logit-normal timesteps; from nothing, or from the weights of `start`.

    With `train_text` the text encoder learns too: what it told apart too weakly for drawing becomes clear. Frozen, it is not in the state.
    `toys_count_more` is `weigh_toys`': most of a picture is its place, whose clouds no caption foretells.
    """
    torch.manual_seed(1)
    unet = build_unet().to(memory_format=torch.channels_last)
    if start is not None:
        unet.load_state_dict(start.state_dict())
    module = nn.ModuleDict({"unet": unet, "text_encoder": text_encoder.requires_grad_(True)} if train_text else {"unet": unet})
    noise_scheduler = build_noise_scheduler()
    name, offset = ("unet and text", TEXT_OFFSET) if train_text else ("unet", 0)

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        indices = choose_indices(step + offset, BATCH)
        latents, scenes = pool.get(indices), [pool.scene(int(i)) for i in indices]
        noise = torch.randn(latents.shape, generator=generator)
        timesteps = sample_timesteps(BATCH, noise_scheduler, generator)
        noised = add_noise_at(noise_scheduler, latents, noise, timesteps)
        input_ids = tokenize(tokenizer, write_captions(scenes, step + offset))
        with torch.set_grad_enabled(train_text):
            encoder_hidden_states = text_encoder(input_ids).last_hidden_state
        model_pred = unet(noised.latents.contiguous(memory_format=torch.channels_last), timesteps, encoder_hidden_states).sample
        return {"loss": (weigh_toys(scenes, toys_count_more) * (model_pred.float() - noised.target).square()).mean()}

    return fit(name, module, loss_fn, folder, steps, peak_lr, ema_decay=0.999)


def trained_part(state: Path, part: str) -> dict[str, torch.Tensor]:
    """The averaged weights of "unet" or "text_encoder" in a state of `train_unet`."""
    prefix = f"{part}."
    return {k[len(prefix) :]: v for k, v in ema_weights(state).items() if k.startswith(prefix)}
