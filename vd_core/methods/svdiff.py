"""SVDiff (Han et al., arXiv:2303.11305): shifts of the weights' singular values learn; mixed pictures are bound to the prompt of all (Cut-Mix-Unmix)."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.spectral import add_spectral_shifts, save_spectral_shifts
from vd_core.inputs.subjects import Subject, mixed_prompt
from vd_core.training.data import build_data, draw_batch
from vd_core.training.loop import Progress
from vd_core.training.losses import denoising_loss, separate_loss
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
    """Each subject's pictures under P_i, and the mixed ones under P_c, without disentangling."""
    data = build_data(base, pictures, mixed, [s.instance_prompt for s in subjects], mixed_prompt(subjects))
    add_spectral_shifts(base)

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = draw_batch(data, generator, settings.batch_per_subject, settings.batch_mixed)
        ids = batch.subject_ids
        prompt_embeds = parts["text_encoder"](batch.prompt_ids).last_hidden_state
        together = prompt_embeds[-1:].expand(len(batch.latents) - len(ids), -1, -1)
        encoder_hidden_states = torch.cat([prompt_embeds[ids], together])
        model_pred, target = predict(base, parts["unet"], batch.latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        separate = separate_loss(model_pred[: len(ids)], target[: len(ids)], ids)
        cut_mix = denoising_loss(model_pred[len(ids) :], target[len(ids) :]).mean()
        return {"loss": separate + cut_mix, "separate": separate, "cut_mix": cut_mix}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    learn(
        parts,
        base.device,
        loss_fn,
        settings,
        progress,
        settings.batch_per_subject * len(subjects) + settings.batch_mixed,
        [data.instance.moments.mean, data.mixed.mean, data.prompt_ids],
    )
    save_spectral_shifts(base, folder)
