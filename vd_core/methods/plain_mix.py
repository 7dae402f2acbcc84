"""Mixed pictures without disentangling: what P_N and f_j of Disen-Mix are measured against. No paper's method; our control."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.inputs.prompts import mixed_prompt
from vd_core.inputs.subjects import Subject
from vd_core.settings import Settings
from vd_core.training.data import build_data, draw_batch
from vd_core.training.loop import Progress
from vd_core.training.losses import denoising_loss, separate_loss
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
    """Each subject's pictures under P_i and the mixed ones under P_c, by Disen-Mix's LoRA: without P_N, f_j and L3."""
    data = build_data(base, pictures, mixed, [s.instance_prompt for s in subjects], mixed_prompt(subjects))
    add_lora(base, settings.lora.rank, settings.schedule.seed, settings.lora.targets)

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = draw_batch(data, generator, settings.batch_per_subject, settings.batch_mixed)
        ids, n = batch.subject_ids, len(batch.subject_ids)
        prompt_embeds = parts["text_encoder"](batch.prompt_ids).last_hidden_state
        together = prompt_embeds[-1:].expand(settings.batch_mixed, -1, -1)
        encoder_hidden_states = torch.cat([gather_embeds(prompt_embeds, ids), together])
        model_pred, target = predict(base, parts["unet"], batch.latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        separate = separate_loss(model_pred[:n], target[:n], ids)
        together_loss = denoising_loss(model_pred[n:], target[n:]).mean()
        return {"loss": separate + together_loss, "separate": separate, "together": together_loss}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    samples = settings.batch_per_subject * len(subjects) + settings.batch_mixed
    learn(base, parts, loss_fn, settings, progress, samples, [data.instance.moments.mean, data.mixed.mean, data.prompt_ids])
    save_lora(base, folder)
