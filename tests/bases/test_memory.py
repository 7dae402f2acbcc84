"""What fits at once: a batch that does not is learned in parts, and freed maps go back to the system."""

from pathlib import Path

import pytest
import torch

from tests.helpers.training import make_data, make_fresh_trainee, make_settings
from vd_core.bases import memory
from vd_core.bases.encode import embed_prompts
from vd_core.bases.memory import clips_at_once, map_bytes, pictures_at_once, return_freed_maps, samples_at_once, trained_at_once
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.generation.customised import customise_text2video_zero
from vd_core.methods.disen_mix import train
from vd_core.training.loop import Progress
from vd_core.training.step import named_trainable


def learn_two_steps(base: Base, folder: Path) -> tuple[dict[str, torch.Tensor], set[int]]:
    """What Disen-Mix learns with gradient checkpointing, and how many samples the U-Net sees at once."""
    data = make_data(base)
    adapter = make_fresh_trainee(base)
    batches: set[int] = set()
    base.unet.register_forward_pre_hook(lambda _, args: batches.add(len(args[0])))
    train(base, adapter, data, make_settings(schedule={"steps": 2, "gradient_checkpointing": True}), Progress(folder))
    parts = {"unet": base.unet, "text_encoder": base.text_encoder, "visual_adapter": adapter}
    return {k: p.detach().clone() for k, p in named_trainable(parts).items()}, batches


def test_a_batch_that_does_not_fit_is_learned_in_parts(
    base: Base, base_folders: dict[str, Path], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, at_once = learn_two_steps(base, tmp_path / "whole")
    assert at_once == {2 * 2 + 2 * 2}
    again = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
    monkeypatch.setattr(memory, "CPU_BYTES", 3 * memory.TRAINED_MAPS * map_bytes(again))
    assert trained_at_once(again) == 3
    in_parts, at_once = learn_two_steps(again, tmp_path / "parts")
    assert at_once == {3, 2}
    assert whole.keys() == in_parts.keys()
    for name, value in whole.items():
        torch.testing.assert_close(in_parts[name], value, rtol=1e-3, atol=2e-4, msg=name)


def test_freed_maps_are_returned_where_they_are_large(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, *setting: int) -> None:
            asked.append(setting)

    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: Library())
    return_freed_maps(base)
    assert not asked
    base.map_size = 64 * 64 * 320
    return_freed_maps(base)
    assert asked == [(-3, 2**20)]


@pytest.mark.parametrize("low_vram", [False, True])
def test_with_low_vram_the_unet_is_elsewhere_while_clips_are_decoded(
    base: Base, low_vram: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_lora(base, 2, 0)
    save_lora(base, tmp_path)
    base.let_go("unet", "text_encoder")
    base.low_vram = low_vram
    generate = customise_text2video_zero(base, tmp_path, 2, 4, 3.0, (12.0, 12.0), 3, 2, fast=False)
    said: list[str] = []
    unet, decode = base.unet, base.vae.decode
    monkeypatch.setattr(unet, "to", lambda place: said.append(str(place)) or unet)
    monkeypatch.setattr(base.vae, "decode", lambda latents: said.append("decode") or decode(latents))
    monkeypatch.setattr(base, "device", torch.device("cpu", 0))
    clip = generate(embed_prompts(base, ["a sks dog"]), [0])
    assert clip.shape == (1, 2, 3, base.resolution, base.resolution)
    assert said == (["cpu", "decode", "cpu:0"] if low_vram else ["decode"])
    assert ("vae" in base.__dict__) != low_vram


def test_a_large_gpu_gets_no_more_than_its_kernels_can_count(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 48 GB free, 33 frames of 512 pixels were decoded in one call, which is refused; with 80 GB, 11 clips had more attentions than a grid."""
    base.map_size, base.latent_shape, base.vae_scale_factor = 64 * 64 * 320, (4, 64, 64), 8
    base.vae.register_to_config(block_out_channels=(128, 256, 512, 512))
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**37)
    assert pictures_at_once(base) * 256 * 512 * 512 < 2**31 <= (pictures_at_once(base) + 1) * 256 * 512 * 512
    assert samples_at_once(base) * 960 * 64 * 64 < 2**31 and trained_at_once(base) < samples_at_once(base)
    assert clips_at_once(base, 16) == 7 and 2 * 7 * 64 * 64 < 2**16
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10 * 2**30)
    assert (pictures_at_once(base), clips_at_once(base, 16)) == (13, 2)


def test_what_pytorch_holds_and_does_not_use_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation found hardly any free memory beside the training's, and drew its pictures one by one."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (1000, 8000))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: 6000)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda device: 2000)
    assert memory.free_bytes(torch.device("cuda")) == int(memory.GPU_SHARE * 5000)
