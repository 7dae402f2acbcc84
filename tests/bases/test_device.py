"""Where a stage computes: on a GPU only if this PyTorch was built for it, and in a precision that it computes well."""

import pytest
import torch

from vd_core.bases.device import choose_device, choose_dtype, gpu_is_usable, has_kernels
from vd_core.errors import InputError

CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]
CUDA_12_6 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]


@pytest.mark.parametrize(
    ("name", "capability", "by_13", "by_12_6"),
    [
        ("GTX 1080 Ti", (6, 1), False, True),
        ("P100", (6, 0), False, True),
        ("V100", (7, 0), False, True),
        ("T4", (7, 5), True, True),
        ("RTX 4090", (8, 9), True, True),
        ("RTX 5090", (12, 0), True, False),
        ("DGX Spark", (12, 1), True, False),
        ("one after these", (13, 0), True, False),
    ],
)
def test_a_gpu_has_kernels_in_the_builds_for_its_generation(name: str, capability: tuple[int, int], by_13: bool, by_12_6: bool) -> None:
    assert (has_kernels(capability, CUDA_13), has_kernels(capability, CUDA_12_6)) == (by_13, by_12_6)


def test_amds_names_say_nothing() -> None:
    assert has_kernels((11, 0), ["gfx1100", "gfx942"])


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GTX 1080 Ti beside a PyTorch of CUDA 13: listed, and every operation fails with "no kernel image is available"."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: (6, 1))
    monkeypatch.setattr("torch.cuda.get_arch_list", lambda: CUDA_13)


def test_a_gpu_that_pytorch_was_not_built_for_is_not_used(old_gpu: None) -> None:
    """`auto` took it, and the first stage ended in CUDA's words."""
    assert not gpu_is_usable()
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="device is cuda, but torch .* was not built for this GPU"):
        choose_device("cuda")


def test_cuda_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device is cuda, but torch sees no GPU"):
        choose_device("cuda")


def test_the_precision_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert choose_dtype("float32", cuda) == torch.float32 and choose_dtype("fp16", cpu) == torch.float16
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    for has_bf16 in (True, False):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation, has=has_bf16: has)
        monkeypatch.setattr("torch.ops.mkldnn._is_mkldnn_bf16_supported", lambda has=has_bf16: has)
        assert choose_dtype("auto", cuda) == (torch.bfloat16 if has_bf16 else torch.float16)
        assert choose_dtype("auto", cpu) == (torch.bfloat16 if has_bf16 else torch.float32)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("NVIDIA GeForce GTX 1660 SUPER", torch.float32),
        ("NVIDIA GeForce GTX 1650", torch.float32),
        ("NVIDIA T1000 8GB", torch.float32),
        ("NVIDIA GeForce MX450", torch.float32),
        ("NVIDIA GeForce RTX 2060", torch.float16),
        ("NVIDIA GeForce GTX 1080 Ti", torch.float16),
        ("Quadro T2000", torch.float32),
        ("Tesla V100-SXM2-16GB", torch.float16),
    ],
)
def test_gpus_whose_float16_is_broken_compute_in_float32(monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype) -> None:
    """People with a GTX 1660 had black pictures of every program that took float16."""
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: name)
    assert choose_dtype("auto", torch.device("cuda")) == dtype


def test_a_mac_without_onednn_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> bool:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_is_mkldnn_bf16_supported'")

    monkeypatch.setattr("torch.backends.mkldnn.is_available", lambda: False)
    monkeypatch.setattr("torch.ops.mkldnn._is_mkldnn_bf16_supported", missing)
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
