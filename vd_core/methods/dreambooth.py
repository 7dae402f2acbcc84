"""DreamBooth (Ruiz et al., arXiv:2208.12242) for several subjects at once, with or without prior preservation; LoRA stands for all weights."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.inputs.subjects import Subject
from vd_core.methods.priors import draw_priors
from vd_core.settings import Settings
from vd_core.training.data import encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import prior_preservation_loss, separate_loss
from vd_core.training.step import Models, gather_embeds, learn, predict


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """Each subject's pictures under P_i and, unless the prior's weight is 0, the base's own under "a cate_i". `mixed` is unused."""
    priors = draw_priors(base, [[s.class_prompt] * settings.prior.pictures for s in subjects], settings)
    data = encode_labelled(base, [*pictures, *priors])
    prompts = [s.instance_prompt for s in subjects] + [s.class_prompt for s in subjects][: len(priors)]
    prompt_ids, n = tokenize(base, prompts), settings.batch_per_subject * len(subjects)
    add_lora(base, settings.lora.rank, settings.schedule.seed, settings.lora.targets)

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        latents, ids = data.draw(settings.batch_per_subject, generator)
        encoder_hidden_states = gather_embeds(parts["text_encoder"](prompt_ids).last_hidden_state, ids)
        model_pred, target = predict(base, parts["unet"], latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        separate = separate_loss(model_pred[:n], target[:n], ids[:n])
        if not priors:
            return {"loss": separate}
        prior = prior_preservation_loss(model_pred[n:], target[n:], ids[n:], settings.prior.weight)
        return {"loss": separate + prior, "separate": separate, "prior": prior}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    samples = settings.batch_per_subject * len(prompts)
    learn(base, parts, loss_fn, settings, progress, samples, [data.moments.mean, prompt_ids])
    save_lora(base, folder)
