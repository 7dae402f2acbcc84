"""The method's losses, each under its equation's number: tensors in, per-sample losses `[b]` or their weighted sum out."""

import torch


def denoising_loss(model_pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Eq. 3: ||target - prediction||^2, per sample `[b]`, as the mean over a sample's elements.

    `model_pred` and `target` are `[b, ...]`; the target is the noise, or the velocity where the base predicts that.
    """
    return (model_pred.float() - target.float()).square().flatten(1).mean(1)


def separate_loss(model_pred: torch.Tensor, target: torch.Tensor, subject_ids: torch.Tensor) -> torch.Tensor:
    """Eq. 5: L1, the sum over subjects of the mean loss of the subject's pictures in the batch. `subject_ids` is `[b]`; a scalar."""
    losses = denoising_loss(model_pred, target)
    return torch.stack([losses[subject_ids == i].mean() for i in subject_ids.unique()]).sum()


def disentangled_loss(model_pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Eq. 8: L2, over mixed pictures denoised with E_T(P'_c) + f_j; a scalar."""
    return denoising_loss(model_pred, target).mean()


def weak_denoising_loss(model_pred: torch.Tensor, target: torch.Tensor, weight: float) -> torch.Tensor:
    """Eq. 9: L3, lambda times the loss of the same mixed pictures denoised with E_T(P'_c) alone; a scalar."""
    return weight * denoising_loss(model_pred, target).mean()


def min_snr_weights(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """Min-SNR weighting (Hang et al., arXiv:2303.09556), `[b]` for timesteps `[b]`: min(SNR, gamma) / SNR, for v / (SNR + 1)."""
    alphas = alphas_cumprod.to(timesteps.device)[timesteps]
    snr = alphas / (1 - alphas)
    return snr.clamp(max=gamma) / (snr + 1 if prediction_type == "v_prediction" else snr)


def prior_preservation_loss(model_pred: torch.Tensor, target: torch.Tensor, subject_ids: torch.Tensor, weight: float) -> torch.Tensor:
    """DreamBooth's second term: `weight` times the same sum over the base's own pictures of each subject's class; a scalar."""
    return weight * separate_loss(model_pred, target, subject_ids)


def masked_loss(model_pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The denoising loss where `mask` `[b, 1, h, w]` is 1, per sample `[b]`, 0 where it is 1 nowhere: the border of Custom Diffusion's views says nothing."""
    squared = (model_pred.float() - target.float()).square().mean(1, keepdim=True) * mask
    return squared.flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)


def disen_mix_loss(separate: torch.Tensor, disentangled: torch.Tensor, weak_denoising: torch.Tensor) -> torch.Tensor:
    """Eq. 10: L = L1 + L2 + L3."""
    return separate + disentangled + weak_denoising


def debiased_loss(model_pred: torch.Tensor, target: torch.Tensor, anchor: int) -> torch.Tensor:
    """MotionDirector's appearance-debiased loss (Zhao et al., arXiv:2310.08465, Eq. 7), per clip `[b]`: predictions `[b, c, f, h, w]` relative to one frame's.

    phi(x_i) = sqrt(beta^2 + 1) x_i - beta x_anchor with beta = 1: what all frames share counts less.
    """
    relative = [2**0.5 * x - x[:, :, anchor : anchor + 1] for x in (model_pred.float(), target.float())]
    return denoising_loss(*relative)
