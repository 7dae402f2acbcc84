"""Guided denoising of clips within a memory budget: whole, guidance branch by branch, or some frames at a time."""

from dataclasses import dataclass, replace

import torch
from diffusers import DPMSolverMultistepScheduler

from vd_core.bases.memory import samples_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.attention import Conditions
from vd_core.generation.guides import Hold, Scheduler
from vd_core.generation.regions import HARD_UNTIL, Regions
from vd_core.generation.unet import Unrolled, call_unet, embed_texts, embed_times
from vd_core.settings import MOTION_WINDOW

Branches = tuple[int, ...]
EMPTY, PROMPTED, BOTH = (0,), (1,), (0, 1)

WINDOW, OVERLAP = MOTION_WINDOW, 4
"""Frames that motion modules see at once, and how many of them two windows share."""

GUIDED_UNTIL = 0.8
"""Fast mode: the share of the steps, from the first, that are guided. Later ones decide details, which the prompt's branch draws alone."""

DEEP_EVERY = 2
"""Fast mode: deep features are computed in one of so many steps."""


def make_scheduler(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
    """A fresh DPM-Solver++ of second order over the base's noise schedule: no solver output of one part of the sampling leaks into the next."""
    noise_scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    noise_scheduler.set_timesteps(num_inference_steps)
    return noise_scheduler


@dataclass(frozen=True)
class Step:
    """Whether a step is guided, and whether it computes the deep features."""

    guided: bool
    deep: bool


def plan_steps(count: int, fast: bool) -> list[Step]:
    """What each of `count` sampling steps computes: everything, or in fast mode what counts most."""
    return [Step(not fast or i < GUIDED_UNTIL * count, not fast or i % DEEP_EVERY == 0) for i in range(count)]


def find_chunks(frames: int, size: int) -> list[slice]:
    """All frames, `size` at a time."""
    return [slice(i, min(i + size, frames)) for i in range(0, frames, size)]


def find_windows(frames: int) -> list[slice]:
    """Windows of WINDOW frames that cover all of them, the last one at the end, neighbors sharing OVERLAP frames or more."""
    if frames <= WINDOW:
        return [slice(0, frames)]
    starts = [*range(0, frames - WINDOW, WINDOW - OVERLAP), frames - WINDOW]
    return [slice(start, start + WINDOW) for start in starts]


def window_weights(part: slice) -> torch.Tensor:
    """How much each frame of a window counts where windows overlap, `[f, 1, 1, 1]`: the more, the further it is from the window's ends."""
    ramp = torch.arange(1, part.stop - part.start + 1)
    return torch.minimum(ramp, ramp.flip(0)).float()[:, None, None, None]


class Denoiser:
    """A U-Net with its prompts and sampling steps' `timesteps`; it predicts what the solver takes.

    `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then those of the n clips. With `cross_frame` every frame attends to its
    clip's first (Text2Video-Zero), and any number of them is computed at once; otherwise motion modules see WINDOW frames. `regions` are those of
    the n clips.
    """

    def __init__(
        self,
        base: Base,
        net: Unrolled,
        prompt_embeds: torch.Tensor,
        timesteps: torch.Tensor,
        guidance_scale: float,
        cross_frame: bool,
        fast: bool,
        regions: Regions | None = None,
    ):
        self.net, self.guidance_scale, self.cross_frame, self.fast = net, guidance_scale, cross_frame, fast
        self.clips, self.limit = len(prompt_embeds) - 1, samples_at_once(base)
        self.times = embed_times(net.unet, timesteps.to(base.device))
        self.texts = embed_texts(net.unet, prompt_embeds)
        self.regions, self.late_from = regions, HARD_UNTIL * len(timesteps)
        self.regions_texts = embed_texts(net.unet, regions.embeds.flatten(0, 1)) if regions else {}
        self.kept: dict[tuple[Branches, int], torch.Tensor] = {}

    def denoise(self, latents: torch.Tensor, scheduler: Scheduler, first: int, last: int, hold: Hold | None = None) -> torch.Tensor:
        """Sampling steps `first` to `last` (not included) of a fresh `scheduler` (that starts at `first`) on latents `[b, f, c, h, w]`, some of which `hold` keeps."""
        self.kept.clear()
        steps = plan_steps(len(scheduler.timesteps), self.fast)
        for index in range(first, last):
            prediction = self.predict(latents, index, steps[index])
            latents = scheduler.step(prediction, scheduler.timesteps[index], latents).prev_sample
            latents = hold(latents, index + 1) if hold else latents
        return latents

    def predict(self, latents: torch.Tensor, index: int, step: Step) -> torch.Tensor:
        """The guided prediction at step `index` of latents `[b, f, c, h, w]`: the same shape, in float32."""
        if not step.guided:
            return self.predict_branches(latents, index, step, PROMPTED)
        if 2 * self.clips * self.frames_at_once(latents.shape[1]) <= self.limit:
            empty, prompted = self.predict_branches(latents, index, step, BOTH).chunk(2)
        else:
            empty, prompted = (self.predict_branches(latents, index, step, branch) for branch in (EMPTY, PROMPTED))
        return empty + self.guidance_scale * (prompted - empty)

    def frames_at_once(self, frames: int) -> int:
        """How many of a clip's frames one call takes."""
        return max(1, min(frames, self.limit // self.clips)) if self.cross_frame else min(frames, WINDOW)

    def predict_branches(self, latents: torch.Tensor, index: int, step: Step, branches: Branches) -> torch.Tensor:
        """What the U-Net predicts for some guidance branches, one after the other in the batch: `[(branches b), f, c, h, w]`."""
        frames = latents.shape[1]
        parts = find_chunks(frames, self.frames_at_once(frames)) if self.cross_frame else find_windows(frames)
        conditions = Conditions(
            {block: own[index] for block, own in self.times.items()},
            {attn: (self.of_branches(k, branches), self.of_branches(v, branches)) for attn, (k, v) in self.texts.items()},
            len(branches) * self.clips,
            frames,
            {} if self.cross_frame else None,
            self.regions and self.regions.placed(self.regions_texts, index >= self.late_from, PROMPTED[0] in branches),
        )
        if len(parts) == 1:
            return self.predict_part(latents, step, branches, 0, parts[0], conditions)
        total = latents.new_zeros((conditions.prompts, *latents.shape[1:]))
        weights = latents.new_zeros((frames, 1, 1, 1))
        for i, part in enumerate(parts):
            own = window_weights(part).to(latents)
            total[:, part] += own * self.predict_part(latents[:, part], step, branches, i, part, conditions)
            weights[part] += own
        return total / weights

    def of_branches(self, texts: torch.Tensor, branches: Branches) -> torch.Tensor:
        """The rows of the empty prompt, one a clip, and of the clips' prompts, as far as they are wanted."""
        return torch.cat([texts[:1].expand(self.clips, *texts.shape[1:]) if branch == 0 else texts[1:] for branch in branches])

    def predict_part(
        self, latents: torch.Tensor, step: Step, branches: Branches, part: int, frames: slice, conditions: Conditions
    ) -> torch.Tensor:
        """The same for the part's `frames`, with the deep features that it has kept, if the step takes them."""
        kept = None if step.deep else self.recall(branches, part)
        own = replace(conditions, frames=latents.shape[1], places=conditions.places and conditions.places.part(frames))
        prediction, deep = call_unet(self.net, latents.flatten(0, 1), own, kept)
        if self.fast:
            self.kept[branches, part] = deep
        return prediction.float().unflatten(0, (-1, latents.shape[1]))

    def recall(self, branches: Branches, part: int) -> torch.Tensor | None:
        """A part's deep features, if an earlier step has left those of these branches."""
        if branches == PROMPTED and (BOTH, part) in self.kept:
            self.kept[PROMPTED, part] = self.kept.pop((BOTH, part)).chunk(2)[1]
        return self.kept.get((branches, part))
