"""Small random bases of the real classes: the SD 1.x kind and the SD 2.x kind."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.toybox.pretraining.tokens import build_tokenizer

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
        use_linear_projection=kind == "sd2",
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
