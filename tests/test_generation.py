"""Text2Video-Zero: what its parts must be, and that a seed fixes the bytes."""

import pytest
import torch

from vd_core.bases import Base
from vd_core.generation.cross_frame import CrossFrameAttnProcessor, set_cross_frame_attention
from vd_core.generation.images import generate_pictures
from vd_core.generation.text2video_zero import add_noise_between, generate_text2video_zero, warp_latents


def clip_of(base: Base, seed: int = 0, strength: tuple[float, float] = (12.0, 12.0), frames: int = 3) -> torch.Tensor:
    return generate_text2video_zero(base, "a sks dog", seed, frames, 8, 3.0, strength, 6, 4)


def test_zero_motion_is_the_identity() -> None:
    latents = torch.randn(4, 2, 8, 8)
    assert torch.equal(warp_latents(latents, torch.arange(4), (0.0, 0.0)), latents)


def test_a_shift_of_whole_latents_is_a_shift() -> None:
    latents = torch.randn(1, 2, 8, 8)
    moved = warp_latents(latents, torch.tensor([2]), (512 / 8, 0.0))  # two columns to the right
    assert torch.equal(moved[..., 2:], latents[..., :-2])
    down = warp_latents(latents, torch.tensor([1]), (0.0, 512 / 8))
    assert torch.equal(down[:, :, 1:], latents[:, :, :-1])


def test_noise_from_one_timestep_to_a_noisier_one(base: Base) -> None:
    """In two hops the same statistics as in one: z_to = sqrt(abar_to) x + sqrt(1 - abar_to) eps."""
    alphas = base.noise_scheduler.alphas_cumprod
    x = torch.full((1, 1, 64, 64), 3.0)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    at_from = alphas[300].sqrt() * x + (1 - alphas[300]).sqrt() * noise
    at_to = add_noise_between(base, at_from, 300, 700, torch.Generator().manual_seed(2))
    assert float(at_to.mean()) == pytest.approx(float(alphas[700].sqrt() * 3), abs=0.05)
    assert float(at_to.std()) == pytest.approx(float((1 - alphas[700]).sqrt()), abs=0.05)


def test_first_frame_is_its_own_reference(base: Base) -> None:
    """With one frame, cross-frame attention is plain attention; and frame 1 of many is not changed by the others."""
    sample, hidden = torch.randn(1, 4, 8, 8), torch.randn(1, 5, base.text_encoder.config.hidden_size)
    plain = base.unet(sample, 10, hidden).sample
    set_cross_frame_attention(base.unet, 1)
    torch.testing.assert_close(base.unet(sample, 10, hidden).sample, plain, rtol=1e-4, atol=1e-5)
    set_cross_frame_attention(base.unet, 2)
    other = torch.cat([sample, torch.randn(1, 4, 8, 8)])
    torch.testing.assert_close(base.unet(other, 10, hidden.expand(2, -1, -1)).sample[:1], plain, rtol=1e-4, atol=1e-5)


def test_cross_frame_attention_against_a_literal_reference(base: Base) -> None:
    """Every frame's queries meet frame 1's keys and values, computed frame by frame."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn1"))
    hidden = torch.randn(6, 9, attn.to_q.in_features)  # two clips of three frames
    got = CrossFrameAttnProcessor(3)(attn, hidden)
    for clip in range(2):
        for frame in range(3):
            q, k = attn.to_q(hidden[3 * clip + frame]), attn.to_k(hidden[3 * clip])
            v = attn.to_v(hidden[3 * clip])
            heads = []
            for qh, kh, vh in zip(q.chunk(attn.heads, -1), k.chunk(attn.heads, -1), v.chunk(attn.heads, -1), strict=True):
                heads.append(torch.softmax(qh @ kh.T * qh.shape[-1] ** -0.5, -1) @ vh)
            expected = attn.to_out[0](torch.cat(heads, -1))
            torch.testing.assert_close(got[3 * clip + frame], expected, rtol=1e-4, atol=1e-5)


def test_same_seed_same_clip_and_another_seed_another(base: Base) -> None:
    first = clip_of(base)
    assert first.shape == (3, 3, base.resolution, base.resolution)
    assert torch.equal(first, clip_of(base))
    assert not torch.equal(first, clip_of(base, seed=1))
    assert not torch.equal(first[0], first[1])


def test_the_order_of_t_is_checked(base: Base) -> None:
    with pytest.raises(ValueError, match="t_forward"):
        generate_text2video_zero(base, "a", 0, 2, 8, 3.0, (0.0, 0.0), 3, 5)


def test_a_pictures_seed_is_its_own(base: Base) -> None:
    """The same prompt and seed give the same picture alone and in company."""
    together = generate_pictures(base, ["a dog", "a cat"], [1, 2], 4, 3.0)
    alone = generate_pictures(base, ["a cat"], [2], 4, 3.0)
    difference = [abs(a - b) for a, b in zip(together[1].tobytes(), alone[0].tobytes(), strict=True)]
    assert max(difference) <= 1
