"""Frozen weights in 16 bits: what learns stays in float32, and everything that a base does still works."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_data, make_motion_settings, make_settings, parts_of, shake_lora
from vd_core.bases.encode import embed_prompts, require_numbers
from vd_core.bases.motion_unet import build_motion_unet
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.lora import add_lora, load_lora, save_lora
from vd_core.customisation.visual_adapter import VisualAdapter
from vd_core.customisation.weights import LORA_FILE
from vd_core.errors import InputError
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.pictures import generate_pictures
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import unroll
from vd_core.methods.disen_mix import train as train_disen_mix
from vd_core.methods.motion import finetune_motion, whole_clip
from vd_core.training.loop import Progress
from vd_core.training.step import named_trainable


@pytest.fixture
def half(base_folders: dict[str, Path], kind: str) -> Iterator[Base]:
    """A base frozen in bfloat16; accelerate keeps one precision a process."""
    AcceleratorState._reset_state()
    yield load_base(folder_source(base_folders[kind]), torch.device("cpu"), dtype=torch.bfloat16)
    AcceleratorState._reset_state()


def test_what_is_frozen_is_in_16_bits_and_what_learns_in_float32(half: Base, tmp_path: Path) -> None:
    data = make_data(half)
    assert data.mixed.mean.dtype == data.image_embeds.dtype == torch.float32
    assert not {"vae", "image_encoder"} & half.__dict__.keys()  # they have done their work
    add_lora(half, 2, 0)
    parts = parts_of(half, VisualAdapter(half.text_encoder.config.hidden_size))
    before = {k: p.detach().clone() for k, p in named_trainable(parts).items()}
    train_disen_mix(half, parts["visual_adapter"], data, make_settings(schedule={"steps": 2}), Progress(tmp_path))
    for part in (half.unet, half.text_encoder):
        assert {p.dtype for p in part.parameters() if not p.requires_grad} == {torch.bfloat16}
    learnt = named_trainable(parts)
    assert {p.dtype for p in learnt.values()} == {torch.float32}
    assert any(not torch.equal(p, before[k]) for k, p in learnt.items())


def test_a_lora_of_float32_goes_on_as_it_was(half: Base, base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    """Re-finetuning reads what finetuning wrote: not one bit may be rounded away on a base of 16 bits."""
    add_lora(half, 2, 0)
    shake_lora(half)
    save_lora(half, tmp_path / "before")
    again = load_base(folder_source(base_folders[kind]), torch.device("cpu"), dtype=torch.bfloat16)
    load_lora(again, tmp_path / "before", trainable=True)
    save_lora(again, tmp_path / "after")
    before, after = (load_file(tmp_path / name / LORA_FILE) for name in ("before", "after"))
    assert before.keys() == after.keys() and all(v.dtype == torch.float32 for v in before.values())
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_pictures_and_clips_are_those_of_float32_nearly(half: Base, base: Base) -> None:
    """The same noise, the same prompt: a random base's pictures differ by rounding, not by content."""
    for one in (half, base):
        assert one.vae.dtype == torch.float32
    ours, exact = (
        [torch.tensor(list(p.tobytes())).float() for p in generate_pictures(b, ["a dog"] * 2, [0, 1], 4, 2.0)] for b in (half, base)
    )
    other = torch.tensor(list(generate_pictures(base, ["a dog"], [5], 4, 2.0)[0].tobytes())).float()
    for a, b in zip(ours, exact, strict=True):
        assert (a - b).abs().mean() < 0.2 * (b - other).abs().mean()
    clips = []
    for b in (half, base):
        net = unroll(b.unet)
        clips.append(generate_text2video_zero(b, net, embed_prompts(b, ["a dog"]), [0], 2, 8, 2.0, (12.0, 12.0), 6, 4, fast=False))
    assert (clips[0] - clips[1]).abs().mean() < 0.1
    moved = []
    for b in (half, base):
        assert b.motion_adapter is not None
        net = unroll(build_animatediff(b, b.motion_adapter).unet)
        moved.append(generate_animatediff(b, net, embed_prompts(b, ["a dog"]), [0], 2, 4, 2.0, fast=False))
    assert (moved[0] - moved[1]).abs().mean() < 0.1


def test_motion_learns_in_float32_on_a_base_of_16_bits(half: Base, tmp_path: Path) -> None:
    clip = [noise_picture(i, (half.resolution,) * 2) for i in range(4)]
    model = finetune_motion(half, [whole_clip(clip, "a man is skiing")], make_motion_settings(steps=1), Progress(tmp_path))
    dtypes = {p.dtype for p in model.parameters() if p.requires_grad}, {p.dtype for p in model.parameters() if not p.requires_grad}
    assert dtypes == ({torch.float32}, {torch.bfloat16})
    assert not {"vae", "text_encoder", "unet", "motion_adapter"} & half.__dict__.keys()


def test_the_video_model_copies_nothing(base: Base) -> None:
    assert base.motion_adapter is not None
    video = dict(build_motion_unet(base.unet, base.motion_adapter).named_parameters())
    for part in (base.unet, base.motion_adapter):
        assert all(video[k].data_ptr() == p.data_ptr() for k, p in part.named_parameters())


def test_a_part_that_was_let_go_is_read_again(base: Base) -> None:
    before = base.unet.state_dict()["conv_in.weight"].clone()
    base.unet.conv_in.weight.data += 1
    base.let_go("unet")
    assert torch.equal(base.unet.conv_in.weight, before)


def test_pictures_that_would_be_black_are_refused(base: Base) -> None:
    """In float16 the U-Nets of whole series of GPUs gave black pictures, and nothing said why."""
    with torch.no_grad():
        base.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="what the U-Net has drawn is no numbers: what was finetuned is broken"):
        generate_pictures(base, ["a dog"], [0], 2, 3.0)
    with pytest.raises(InputError, match="float16 overflows here; set precision to float32"):
        require_numbers(torch.tensor([0.0, float("inf")]), torch.float16)
