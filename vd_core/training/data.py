"""What a finetuning learns from, encoded once: latents, image embeddings, token ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from vd_core.bases.encode import embed_pictures, encode_pictures, tokenize
from vd_core.bases.latents import Moments
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.scattering import Scattered


@dataclass(frozen=True)
class Labelled:
    """Pictures of several subjects; `subject_ids` `[n]` says whose each is."""

    moments: Moments
    subject_ids: torch.Tensor

    def draw(self, per_subject: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Fresh latents `[s, c, h, w]` of `per_subject` pictures of every subject, at random, and whose they are `[s]`."""
        indices = self.choose(per_subject, generator)
        return self.moments.sample(indices, generator), self.subject_ids[indices]

    def choose(self, per_subject: int, generator: torch.Generator) -> torch.Tensor:
        """The indices `[s]` of `per_subject` pictures of every subject, at random."""
        chosen = []
        for subject in self.subject_ids.unique().tolist():
            own = (self.subject_ids == subject).nonzero()[:, 0]
            chosen.append(own[torch.randint(len(own), (per_subject,), generator=generator).to(own.device)])
        return torch.cat(chosen)

    def choose_each(self, subject_ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The indices `[s]` of one picture of each of `subject_ids` `[s]`, at random."""
        chosen = []
        for subject in subject_ids.tolist():
            own = (self.subject_ids == subject).nonzero()[:, 0]
            chosen.append(own[torch.randint(len(own), (1,), generator=generator).to(own.device)])
        return torch.cat(chosen)


@dataclass(frozen=True)
class FinetuningData:
    """`instance`: the subjects' own pictures; `mixed`: m pictures of all, D_mix (or HLR's picks) and those of cut-outs, with E_I of each.

    `prompt_ids` `[prompts, length]` holds the token ids of each P_i, then of P'_c (P_c in re-finetuning), then of P_c if there are cut-outs, then of the
    regions' own texts if these are not the P_i; `mixed_prompts` `[m]` and `own_prompts` `[subjects]` say which is whose. `boxes` `[m, subjects, 4]`
    has the subjects' places in pictures of cut-outs, 0 in the others; None without any.
    """

    instance: Labelled
    mixed: Moments
    image_embeds: torch.Tensor
    prompt_ids: torch.Tensor
    mixed_prompts: torch.Tensor
    own_prompts: torch.Tensor
    boxes: torch.Tensor | None = None


@dataclass(frozen=True)
class PriorData:
    """The base's own `pictures` of each subject's class; `prompt_ids` `[subjects, length]` are the token ids of each class prompt."""

    pictures: Labelled
    prompt_ids: torch.Tensor


def encode_labelled(base: Base, pictures: list[list[Image.Image]]) -> Labelled:
    """Each subject's own `pictures`, encoded."""
    ids = torch.tensor([i for i, own in enumerate(pictures) for _ in own], device=base.device)
    return Labelled(encode_pictures(base, [p for own in pictures for p in own]), ids)


def build_data(
    base: Base,
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    instance_prompts: list[str],
    mixed_prompt: str,
    scattered: Sequence[Scattered] = (),
    scattered_prompt: str = "",
    region_prompts: Sequence[str] = (),
) -> FinetuningData:
    """Encode each subject's `pictures`, the `mixed` ones and the `scattered` ones, all of the base's resolution; both encoders are let go.

    `region_prompts` are the regions' own texts, a subject each, unless they are the instance prompts.
    """
    together = [*mixed, *(Image.fromarray(s.picture) for s in scattered)]
    first, last = len(instance_prompts), [scattered_prompt] if scattered else []
    prompts = [*instance_prompts, mixed_prompt, *last, *region_prompts]
    owns = range(len(prompts) - first, len(prompts)) if region_prompts else range(first)
    data = FinetuningData(
        instance=encode_labelled(base, pictures),
        mixed=encode_pictures(base, together),
        image_embeds=embed_pictures(base, together),
        prompt_ids=tokenize(base, prompts),
        mixed_prompts=torch.tensor([first] * len(mixed) + [first + 1] * len(scattered), device=base.device),
        own_prompts=torch.tensor(owns, device=base.device),
        boxes=place_scattered(len(mixed), len(instance_prompts), scattered).to(base.device) if scattered else None,
    )
    base.let_go("vae", "image_encoder")
    return data


def place_scattered(before: int, subjects: int, scattered: Sequence[Scattered]) -> torch.Tensor:
    """The subjects' boxes `[m, subjects, 4]`: none in the pictures `before`, then those of the scattered ones."""
    return torch.cat([torch.zeros(before, subjects, 4), torch.tensor([s.boxes for s in scattered])])


@dataclass(frozen=True)
class Batch:
    """Latents `[s + m, c, h, w]`: s instance pictures (`subject_ids` `[s]`), then m mixed ones (`image_embeds` `[m, d]`, `mixed_prompts` `[m]`, `boxes`)."""

    latents: torch.Tensor
    subject_ids: torch.Tensor
    image_embeds: torch.Tensor
    prompt_ids: torch.Tensor
    mixed_prompts: torch.Tensor
    own_prompts: torch.Tensor
    boxes: torch.Tensor | None


def draw_batch(data: FinetuningData, generator: torch.Generator, per_subject: int, mixed: int) -> Batch:
    """`per_subject` pictures of every subject and `mixed` mixed pictures, at random, with fresh latents."""
    instance, subject_ids = data.instance.draw(per_subject, generator)
    mixed_ids = torch.randint(len(data.image_embeds), (mixed,), generator=generator).to(subject_ids.device)
    latents = torch.cat([instance, data.mixed.sample(mixed_ids, generator)])
    boxes = None if data.boxes is None else data.boxes[mixed_ids]
    return Batch(
        latents, subject_ids, data.image_embeds[mixed_ids], data.prompt_ids, data.mixed_prompts[mixed_ids], data.own_prompts, boxes
    )
