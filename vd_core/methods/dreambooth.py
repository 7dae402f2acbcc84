"""DreamBooth (Ruiz et al., arXiv:2208.12242) for several subjects at once, with prior preservation; LoRA stands for all weights."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.inputs.subjects import Subject
from vd_core.methods.priors import draw_priors
from vd_core.training.data import encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import prior_preservation_loss, separate_loss
from vd_core.training.step import Models, Settings, learn, predict


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """Each subject's pictures under P_i, and the base's own pictures of its class under "a cate_i". `mixed` is of no use here."""
    own, priors = encode_labelled(base, pictures), draw_priors(base, subjects, settings)
    prompt_ids = tokenize(base, [s.instance_prompt for s in subjects] + [s.class_prompt for s in subjects])
    add_lora(base, settings.lora_rank, settings.seed, settings.lora_targets)

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        latents, ids = own.draw(settings.batch_per_subject, generator)
        prior_latents, prior_ids = priors.draw(settings.batch_per_subject, generator)
        prompt_embeds = parts["text_encoder"](prompt_ids).last_hidden_state
        encoder_hidden_states = prompt_embeds[torch.cat([ids, prior_ids + len(subjects)])]
        both = torch.cat([latents, prior_latents])
        model_pred, target = predict(base, parts["unet"], both, encoder_hidden_states, generator, settings.min_snr_gamma)
        n = len(ids)
        separate = separate_loss(model_pred[:n], target[:n], ids)
        prior = prior_preservation_loss(model_pred[n:], target[n:], prior_ids, settings.prior_weight)
        return {"loss": separate + prior, "separate": separate, "prior": prior}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    learn(
        parts,
        base.device,
        loss_fn,
        settings,
        progress,
        2 * settings.batch_per_subject * len(subjects),
        [own.moments.mean, priors.moments.mean, prompt_ids],
    )
    save_lora(base, folder)
