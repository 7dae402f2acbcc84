"""Small random bases of the real classes, made once a run: the SD 1.x kind and the SD 2.x kind."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.bases.stable_diffusion import Base, load_base
from vd_core.toybox.pretraining.tokens import build_tokenizer

torch.set_num_threads(1)

KINDS = {
    # name: (prediction type, text width, tokens, latent side, latent channels)
    "sd1": ("epsilon", 32, 77, 8, 4),
    "sd2": ("v_prediction", 48, 77, 8, 4),
}


def write_tiny_base(folder: Path, kind: str) -> None:
    """A random base of one kind in diffusers' folder layout, with an image encoder and a motion adapter."""
    prediction_type, width, tokens, side, channels = KINDS[kind]
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = tokens
    common = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "projection_dim": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    ids = {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text_encoder = CLIPTextModel(CLIPTextConfig(**common, **ids, max_position_embeddings=tokens))
    image_encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**common, image_size=32, patch_size=8))
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=2 * side,
    )
    unet = UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    adapter = MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=4,
        motion_max_seq_length=16,
    )
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction_type, clip_sample=False
    )
    StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, processor, image_encoder, requires_safety_checker=False
    ).save_pretrained(folder)
    processor.save_pretrained(folder / "image_encoder")
    adapter.save_pretrained(folder / "motion_adapter")


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind."""
    root = tmp_path_factory.mktemp("bases")
    for kind in KINDS:
        write_tiny_base(root / kind, kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of base in turn."""
    return request.param


@pytest.fixture
def base(base_folders: dict[str, Path], kind: str) -> Base:
    """A fresh random base of each kind, with its motion adapter."""
    return load_base(str(base_folders[kind]), torch.device("cpu"), motion=True)


@pytest.fixture
def workspace(tmp_path: Path, base_folders: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with params.yaml (few steps, a random base) and two subjects, and it is the working directory."""
    root = Path(__file__).parent.parent
    text = (root / "params.yaml").read_text()
    swaps = {
        "base: toybox": f"base: {base_folders[kind]}",
        "steps: 200": "steps: 3",
        "lora_rank: 16": "lora_rank: 2",
        "validate_every: 100": "validate_every: 0",
        "prior_pictures: 20": "prior_pictures: 2",
        "candidates: 24": "candidates: 3",
        "min_picks: 3": "min_picks: 2",
        "refinetune_steps: 100": "refinetune_steps: 2",
        "steps: 60": "steps: 2",
        "frames: 16": "frames: 4",
        "num_inference_steps: 50": "num_inference_steps: 8",
        "text2video_zero_frames: 8": "text2video_zero_frames: 3",
        "animatediff_frames: 16": "animatediff_frames: 4",
        "t_forward: 40": "t_forward: 6",
        "t_warp: 38": "t_warp: 4",
        "mixed_precision: bf16": "mixed_precision: 'no'",
    }
    for old, new in swaps.items():
        assert old in text, f"params.yaml no longer says '{old}'"
        text = text.replace(old, new, 1)
    (tmp_path / "params.yaml").write_text(text)
    shutil.copytree(root / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path
