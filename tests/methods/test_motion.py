"""Motion finetuning and the module swap: what learns, what is thrown away, what is left as it was."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter, UNetMotionModel
from diffusers.models.attention_processor import AttnProcessor
from peft.tuners.lora import LoraLayer

from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_motion_settings
from vd_core.bases.attention import training_attention
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.generation.animatediff import build_animatediff
from vd_core.methods.motion import build_motion_model, finetune_motion, save_motion, whole_clip
from vd_core.training.loop import Progress
from vd_core.training.losses import debiased_loss
from vd_core.training.parts import checkpoint_video_model


def learn(base: Base, folder: Path) -> UNetMotionModel:
    clip = [noise_picture(i, (base.resolution,) * 2) for i in range(4)]
    return finetune_motion(base, [whole_clip(clip, "a man is skiing in the snow")], make_motion_settings(), Progress(folder))


def test_only_motion_modules_and_the_lora_learn(base: Base, tmp_path: Path) -> None:
    image_modules = {k: v.clone() for k, v in base.unet.state_dict().items()}
    motion_modules = {k: v.clone() for k, v in base.motion_adapter.state_dict().items()}
    model = learn(base, tmp_path)
    state = {k.replace(".base_layer", ""): v for k, v in model.state_dict().items()}
    assert all(torch.equal(state[k], v) for k, v in image_modules.items())
    assert any(not torch.equal(state[k], v) for k, v in motion_modules.items() if k in state)
    assert any(v.abs().sum() > 0 for k, v in state.items() if "lora_B" in k)
    assert not any("motion_modules" in k for k in state if "lora" in k)
    assert all(torch.equal(base.unet.state_dict()[k], v) for k, v in image_modules.items())


def test_from_copies_the_motion_modules_learn_alone(base: Base, tmp_path: Path) -> None:
    clips = [whole_clip([noise_picture(10 * k + i, (base.resolution,) * 2) for i in range(4)], f"a dog is skiing {k}") for k in range(3)]
    before = {k: v.clone() for k, v in base.motion_adapter.state_dict().items()}
    model = finetune_motion(base, clips, replace(make_motion_settings(), copies=3), Progress(tmp_path))
    assert not any("lora" in k for k in model.state_dict())
    learned = model.state_dict()
    assert any(not torch.equal(learned[k], v) for k, v in before.items() if k in learned)
    save_motion(model, tmp_path)
    assert (tmp_path / "motion_adapter").is_dir() and not (tmp_path / "image_modules").exists()


def test_the_debiased_loss_counts_what_all_frames_share_less() -> None:
    """Eq. 7 of MotionDirector: an error that is the same in all frames counts (sqrt(2) - 1)^2, one of a single frame more."""
    target, shared = torch.zeros(1, 2, 4, 3, 3), torch.ones(1, 2, 4, 3, 3)
    torch.testing.assert_close(debiased_loss(shared, target, 1), torch.tensor([(2**0.5 - 1) ** 2]))
    single = target.clone()
    single[:, :, 2] = 1.0
    torch.testing.assert_close(debiased_loss(single, target, 1), torch.tensor([2 / 4]))


def test_the_swap_gives_the_references_motion_and_none_of_its_looks(base: Base, tmp_path: Path) -> None:
    """With T_m loaded over the base and no LoRA, image modules are the base's and motion modules the finetuned ones."""
    model = learn(base, tmp_path)
    save_motion(model, tmp_path)
    swapped = UNetMotionModel.from_unet2d(base.unet, MotionAdapter.from_pretrained(tmp_path / "motion_adapter"))
    learnt = {k.replace(".base_layer", ""): v for k, v in model.state_dict().items()}
    original = base.unet.state_dict()
    for key, value in swapped.state_dict().items():
        if "motion_modules" in key:
            assert torch.equal(value, learnt[key]), key
        else:
            assert torch.equal(value, original[key]), key


def test_one_frame_without_motion_is_the_image_model(base: Base) -> None:
    """Fresh motion modules end in a zero projection: the video model is the picture model, frame by frame."""
    model = build_motion_model(base, 2)
    for name, parameter in model.named_parameters():
        if "motion_modules" in name and "proj_out" in name:
            torch.nn.init.zeros_(parameter)
    sample = torch.randn(1, base.unet.config.in_channels, 3, 8, 8)
    hidden = torch.randn(1, 5, base.text_encoder.config.hidden_size)
    video = model(sample, 10, hidden.repeat_interleave(3, 0)).sample
    for f in range(3):
        torch.testing.assert_close(video[:, :, f], base.unet(sample[:, :, f], 10, hidden).sample, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("targets", ["attention", "all"])
def test_the_subjects_lora_lands_on_the_image_modules_alone(base_folders: dict, kind: str, tmp_path: Path, targets: str) -> None:
    """Motion modules have layers of the same names (to_q, proj_in, ff.net.2); they stay as they are."""
    learnt, fresh = (load_base(folder_source(base_folders[kind]), torch.device("cpu")) for _ in range(2))
    add_lora(learnt, 2, 0, targets)
    for name, parameter in learnt.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    save_lora(learnt, tmp_path)
    pipeline = build_animatediff(fresh, fresh.motion_adapter)
    pipeline.load_lora_weights(tmp_path, adapter_name="default")

    def lora(unet: torch.nn.Module) -> dict[str, torch.Tensor]:
        return {k: m.lora_B["default"].weight for k, m in unet.named_modules() if isinstance(m, LoraLayer)}

    expected, found = lora(learnt.unet), lora(pipeline.unet)
    assert found.keys() == expected.keys() and len(found) > 10
    assert all(torch.equal(found[k], expected[k]) for k in expected)


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_a_video_model_computed_in_parts_learns_the_same(base: Base, parts: int) -> None:
    """Values and gradients, of motion modules and of the LoRA, with fewer rows at once in every module that takes parts."""
    torch.manual_seed(0)
    model = build_motion_model(base, 2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    sample, hidden = torch.randn(1, base.unet.config.in_channels, 4, 8, 8), torch.randn(4, 5, base.text_encoder.config.hidden_size)
    found = []
    for in_parts in (False, True):
        if in_parts:
            checkpoint_video_model(model, parts)
        found.append(learned_from(model, sample, hidden))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


def test_the_attention_that_trains_fastest_learns_the_same(base: Base) -> None:
    """Values and gradients with softmax(QK^T)V in three operations, in image and motion modules, and the fused one again afterwards."""
    torch.manual_seed(0)
    model = build_motion_model(base, 0)
    before = model.attn_processors
    sample, hidden = torch.randn(1, base.unet.config.in_channels, 4, 8, 8), torch.randn(4, 5, base.text_encoder.config.hidden_size)
    found = []
    for attention in (nullcontext(), training_attention(model, base.device)):
        with attention:
            found.append(learned_from(model, sample, hidden))
            kinds = {type(p) for p in model.attn_processors.values()}
    assert kinds == {AttnProcessor} and model.attn_processors == before
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


def learned_from(model: UNetMotionModel, sample: torch.Tensor, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
    """A loss and the gradients of all that learns."""
    learns = {k: p for k, p in model.named_parameters() if p.requires_grad}
    loss = model(sample, 10, hidden).sample.square().mean()
    loss.backward()
    found = {"loss": loss.detach(), **{k: p.grad.clone() for k, p in learns.items()}}
    for parameter in learns.values():
        parameter.grad = None
    return found


def test_modules_take_no_more_rows_than_a_part_has(base: Base) -> None:
    model, rows = build_motion_model(base, 2), {"image": set(), "motion": set()}
    checkpoint_video_model(model, 4)
    for name, module in model.named_modules():
        kind = "motion" if "motion_modules" in name else "image"
        if name.endswith(("conv1", "ff.net.2")):
            module.register_forward_pre_hook(lambda _, args, kind=kind: rows[kind].add(len(args[0])))
    sample, hidden = torch.randn(1, base.unet.config.in_channels, 4, 8, 8), torch.randn(4, 5, base.text_encoder.config.hidden_size)
    model(sample, 10, hidden).sample.mean().backward()
    assert rows["image"] == {1} and max(rows["motion"]) == 8 * 8 // 4
