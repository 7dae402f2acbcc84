"""Text2Video-Zero (Khachatryan et al. 2023) on any Stable Diffusion: frame 1, warped copies, noise again, cross-frame attention."""

from collections.abc import Callable, Sequence

import torch
from diffusers import DPMSolverMultistepScheduler

from vd_core.bases.encode import aside, decode
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.denoise import Denoiser, make_scheduler
from vd_core.generation.guides import Guides, Hold, Stage, enter, hold_stage, put_back
from vd_core.generation.moves import WIDTH, Moves, move_latents
from vd_core.generation.pictures import draw_noise
from vd_core.generation.unet import Unrolled
from vd_core.seeds import generator_for


@torch.no_grad()
def generate_text2video_zero(
    base: Base,
    net: Unrolled,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    motion_field_strength: tuple[float, float],
    t_forward: int,
    t_warp: int,
    fast: bool,
    scheduler_of: Callable[[Base, int], DPMSolverMultistepScheduler] = make_scheduler,
    guides: Guides | None = None,
    t_carried: int | None = None,
    t_events: int | None = None,
) -> torch.Tensor:
    """Clips `[n, f, 3, h, w]` in [-1, 1], one a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    `t_forward` (T) and `t_warp` (T') count sampling steps from the end, T > T': frame 1 is denoised to T', warped copies get noise up to T,
    and all frames are denoised together from there. `motion_field_strength` is how far the content moves a frame, left and up, in 512-pixel units.
    `guides` are the clips' own; with a stage frame 1 is drawn on from it, and what is held of it is warped and held in all frames; with one of all frames nothing is
    warped: they are drawn on together, from one noise.
    They decide with `t_carried` and `t_events` on T and T' (`find_times`). The clips of one call are computed at once; a seed's clip is the same alone and in company but for rounding.
    """
    if not num_inference_steps > t_forward > t_warp:
        raise ValueError(f"need num_inference_steps > t_forward > t_warp, not {num_inference_steps}, {t_forward}, {t_warp}")
    t_forward, t_warp = find_times(num_inference_steps, t_forward, t_warp, guides, t_carried, t_events)
    start, warp = num_inference_steps - t_forward - 1, num_inference_steps - t_warp - 1
    timesteps = scheduler_of(base, num_inference_steps).timesteps
    denoiser = Denoiser(base, net, prompt_embeds, timesteps, guidance_scale, True, fast, guides and guides.regions)

    def denoise(latents: torch.Tensor, first: int, last: int, hold: Hold | None = None) -> torch.Tensor:
        scheduler = scheduler_of(base, num_inference_steps)
        scheduler.set_begin_index(first)
        return denoiser.denoise(latents, scheduler, first, last, hold)

    noise = torch.stack([draw_noise(base, seed) for seed in seeds])[:, None]
    stage = guides and guides.stage
    staged = stage is not None and stage.latents.shape[1] == num_frames
    scheduler = scheduler_of(base, num_inference_steps)
    latents, first = enter(stage, base.noise_scheduler, scheduler, noise, None if staged else start)
    moves = guides.moves if guides else [None] * len(seeds)
    shift = torch.arange(1, num_frames)[:, None] * torch.tensor(motion_field_strength)
    whole = stage if staged or stage is None else warp_stage(stage, moves, shift)
    hold = hold_stage(whole, base.noise_scheduler, scheduler, noise)
    if not staged:
        at_forward = denoise(latents, first, start)  # [b, 1, c, h, w]
        at_warp = denoise(at_forward, start, warp)
        warped = [warp_clip(*own, shift) for own in zip(at_warp, moves, seeds, strict=True)]
        times = int(timesteps[warp]), int(timesteps[start])
        noised = [add_noise_between(base, own, *times, generator_for("renoise", seed)) for own, seed in zip(warped, seeds, strict=True)]
        latents, first = torch.cat([at_forward, torch.stack(noised)], 1), start
    latents = denoise(latents, first, num_inference_steps, hold)
    with aside(base, net.unet):
        return put_back(decode(base, latents.flatten(0, 1)).clamp(-1, 1).unflatten(0, (len(seeds), num_frames)), stage)


def warp_clip(latents: torch.Tensor, moves: Moves | None, seed: int, shift: torch.Tensor) -> torch.Tensor:
    """The latents `[f - 1, c, h, w]` of all frames but the first, whose latents are `[1, c, h, w]`: by its own moves, or by the plain `shift` `[f - 1, 2]`."""
    return move_clip(latents, moves, seed) if moves else shift_latents(latents.expand(len(shift), -1, -1, -1), shift)


def warp_stage(stage: Stage, moves: Sequence[Moves | None], shift: torch.Tensor) -> Stage:
    """A stage of one frame as one of all frames: its latents, and what is held of them, as `warp_clip` has it; what is uncovered is not held."""
    if stage.held is None:
        return stage
    clips = []
    for first, own in zip(torch.cat([stage.latents, stage.held.to(stage.latents)], 2), moves, strict=True):
        nothing = first.new_zeros((len(shift), *first.shape[1:]))
        clips.append(torch.cat([first, carry_clip(first, own, nothing) if own else shift_latents(first.expand_as(nothing), shift)]))
    whole = torch.stack(clips)
    return Stage(whole[:, :, :-1], stage.share, whole[:, :, -1:] > 0.5)


def find_times(
    steps: int, t_forward: int, t_warp: int, guides: Guides | None, t_carried: int | None, t_events: int | None
) -> tuple[int, int]:
    """T and T' of clips: where something is carried, at most `t_carried`, since only what is drawn in outline can be carried; where events follow
    each other, at least `t_events`, since frames that share an outline share a place. T' is then the step after T.
    """
    if guides and guides.carry and t_carried:
        return min((t_forward, t_warp), (t_carried, t_carried - 1))
    if guides and guides.turn and t_events:
        late = min(t_events, steps - 1)
        return max((t_forward, t_warp), (late, late - 1))
    return t_forward, t_warp


def warp_latents(latents: torch.Tensor, frame_ids: torch.Tensor, strength: tuple[float, float]) -> torch.Tensor:
    """Move the content of each frame of latents `[f, c, h, w]` left and up by its number times `strength` (512-pixel units), as diffusers does.

    Zero strength, or frame 0, is the identity.
    """
    return shift_latents(latents, frame_ids[:, None].float() * torch.tensor(strength))


def shift_latents(latents: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Move the content of each frame of latents `[f, c, h, w]` left and up by its own `shift` `[f, 2]` in 512-pixel units.

    By whole latents: to interpolate noisy latents would change their noise, and to round each one on its own would repeat some where the shift
    is a half. What leaves is reflected back in.
    """
    sources = find_sources(shift, *latents.shape[2:]).to(latents.device)[:, None].expand(*latents.shape[:2], -1)
    return latents.flatten(2).gather(2, sources).view_as(latents)


def find_sources(shift: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The position, row by row, that each position of shifted latents comes from, `[f, h w]`."""
    columns = reflect(torch.arange(width) + to_latents(shift[:, :1], width), width)  # [f, w]
    rows = reflect(torch.arange(height) + to_latents(shift[:, 1:], height), height)  # [f, h]
    return (rows[:, :, None] * width + columns[:, None]).flatten(1)


def move_clip(latents: torch.Tensor, moves: Moves, seed: int) -> torch.Tensor:
    """The latents `[f - 1, c, h, w]` of all frames but the first, whose latents are `[1, c, h, w]`."""
    count = len(moves.shifts) - 1
    return carry_clip(latents, moves, torch.randn((count, *latents.shape[1:]), generator=generator_for("uncovered", seed)).to(latents))


def carry_clip(latents: torch.Tensor, moves: Moves, uncovered: torch.Tensor) -> torch.Tensor:
    """The same, with what is `uncovered` `[f - 1, c, h, w]`."""
    later = Moves(moves.boxes, moves.matrices[:, 1:], moves.shifts[1:])
    sources = find_sources(later.shifts, *latents.shape[2:])
    shifted = shift_latents(latents.expand(len(sources), -1, -1, -1), later.shifts)
    return move_latents(latents[0], later, shifted, sources, uncovered)


def to_latents(shift: torch.Tensor, size: int) -> torch.Tensor:
    """A shift in 512-pixel units as whole latents of `size`. Half a pixel less, since diffusers' grid has its pixels' corners for their centers."""
    return ((shift - 0.5) * size / WIDTH).round().long()


def reflect(index: torch.Tensor, size: int) -> torch.Tensor:
    """Any index as one of 0 to `size` - 1, mirrored at the borders: -1 is 0, `size` is `size` - 1."""
    folded = index % (2 * size)
    return torch.minimum(folded, 2 * size - 1 - folded)


def add_noise_between(base: Base, latents: torch.Tensor, t_from: int, t_to: int, generator: torch.Generator) -> torch.Tensor:
    """The forward process from timestep `t_from` up to the noisier `t_to`: sqrt(a) z + sqrt(1 - a) eps, a = abar_to / abar_from."""
    alphas_cumprod = base.noise_scheduler.alphas_cumprod
    ratio = (alphas_cumprod[t_to] / alphas_cumprod[t_from]).to(latents)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    return ratio.sqrt() * latents + (1 - ratio).sqrt() * noise
