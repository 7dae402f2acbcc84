"""The files of a bundle for other programs: where each lies, and what is in it."""

import json
from pathlib import Path

import torch
from diffusers import MotionAdapter
from safetensors.torch import load_file, save_file

from vd_core.customisation.weights import KEYS_VALUES_FILE, LORA_FILE
from vd_core.export.low_rank import Lora
from vd_core.export.metadata import About, kohya_metadata, spec
from vd_core.export.names import for_animatediff, for_diffusers, for_full_differences, for_kohya

SD_SCRIPTS = "https://github.com/kohya-ss/sd-scripts"


def kohya_path(folder: Path, combination: str) -> Path:
    """The LoRA for A1111, Forge and ComfyUI."""
    return folder / "kohya" / f"{combination}.safetensors"


def motion_path(folder: Path, combination: str) -> Path:
    """The motion modules for AnimateDiff-Evolved."""
    return folder / "animatediff" / f"{combination}_motion.safetensors"


def differences_path(folder: Path, combination: str) -> Path:
    """The whole differences, where a LoRA is only near them."""
    return folder / "kohya" / f"{combination}_full.safetensors"


def embedding_name(combination: str, token: str) -> str:
    """What a learned token is called outside: never like a word of the tokenizer, or the word itself would be read."""
    return f"{combination}-{token}"


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write one safetensors file: the same tensors give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, path, {"format": "pt", **metadata})
    sort_header(path)


def sort_header(path: Path) -> None:
    """Sort a safetensors file's header in place: safetensors writes metadata in an order that changes from run to run."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        text = json.dumps(header, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        assert len(text) <= length, f"{path}: a sorted header is as long as before"
        file.seek(8)
        file.write(text.ljust(length))


def save_lora_files(lora: Lora, folder: Path, about: About) -> None:
    """The subjects' LoRA twice: for diffusers, and in kohya's names."""
    save_tensors(for_diffusers(lora), folder / LORA_FILE, spec(about, "lora", "diffusers"))
    save_tensors(for_kohya(lora), kohya_path(folder, about.combination), spec(about, "lora", SD_SCRIPTS) | kohya_metadata(about, lora))


def save_full_differences(differences: dict[str, torch.Tensor], folder: Path, about: About) -> None:
    """What a LoRA is only near, exactly."""
    save_tensors(for_full_differences(differences), differences_path(folder, about.combination), spec(about, "difference", SD_SCRIPTS))


def save_motion_files(source: Path, folder: Path, about: About) -> None:
    """The motion modules of the folder `source` twice: for diffusers, and in AnimateDiff's original names."""
    adapter = MotionAdapter.from_pretrained(source, use_safetensors=True)
    metadata = spec(about, "motion-module", "diffusers")
    adapter.save_config(folder / "motion_adapter")
    save_tensors(adapter.state_dict(), folder / "motion_adapter" / "diffusion_pytorch_model.safetensors", metadata)
    save_tensors(for_animatediff(adapter), motion_path(folder, about.combination), spec(about, "motion-module", "AnimateDiff"))


def save_embeddings(source: Path, tokens: dict[str, int], folder: Path, about: About) -> list[str]:
    """The tokens' rows that Custom Diffusion learned, a file each, by `tokens` (words and ids); their new names. None if it was another method."""
    if not (source / KEYS_VALUES_FILE).is_file():
        return []
    trained = load_file(source / KEYS_VALUES_FILE)
    rows = dict(zip(trained["token_ids"].tolist(), trained["token_rows"], strict=True))
    names = {embedding_name(about.combination, token): rows[i] for token, i in tokens.items()}
    for name, row in names.items():
        metadata = spec(about, "textual-inversion", "diffusers")
        save_tensors({"emb_params": row[None]}, folder / "embeddings" / f"{name}.safetensors", metadata)
    return list(names)
