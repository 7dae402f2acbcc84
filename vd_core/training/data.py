"""What a finetuning learns from, encoded once: latents, image embeddings, token ids."""

from dataclasses import dataclass

import torch
from PIL import Image

from vd_core.bases.encode import embed_pictures, encode_pictures, tokenize
from vd_core.bases.latents import Moments
from vd_core.bases.stable_diffusion import Base


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
    """`instance`: the subjects' own pictures; `mixed`: D_mix (or HLR's picks) with E_I of each.

    `prompt_ids` `[subjects + 1, length]` holds the token ids of each P_i, and last P'_c (P_c in re-finetuning).
    """

    instance: Labelled
    mixed: Moments
    image_embeds: torch.Tensor
    prompt_ids: torch.Tensor


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
    base: Base, pictures: list[list[Image.Image]], mixed: list[Image.Image], instance_prompts: list[str], mixed_prompt: str
) -> FinetuningData:
    """Encode each subject's `pictures` and the `mixed` ones, all of the base's resolution; both encoders are let go."""
    data = FinetuningData(
        instance=encode_labelled(base, pictures),
        mixed=encode_pictures(base, mixed),
        image_embeds=embed_pictures(base, mixed),
        prompt_ids=tokenize(base, [*instance_prompts, mixed_prompt]),
    )
    base.let_go("vae", "image_encoder")
    return data


@dataclass(frozen=True)
class Batch:
    """Latents `[s + m, c, h, w]`: s instance pictures (`subject_ids` `[s]`), then m mixed ones (`image_embeds` `[m, d]`)."""

    latents: torch.Tensor
    subject_ids: torch.Tensor
    image_embeds: torch.Tensor
    prompt_ids: torch.Tensor


def draw_batch(data: FinetuningData, generator: torch.Generator, per_subject: int, mixed: int) -> Batch:
    """`per_subject` pictures of every subject and `mixed` mixed pictures, at random, with fresh latents."""
    instance, subject_ids = data.instance.draw(per_subject, generator)
    mixed_ids = torch.randint(len(data.image_embeds), (mixed,), generator=generator).to(subject_ids.device)
    latents = torch.cat([instance, data.mixed.sample(mixed_ids, generator)])
    return Batch(latents, subject_ids, data.image_embeds[mixed_ids], data.prompt_ids)
