"""A small random OWLv2 in a folder."""

from pathlib import Path

import torch
from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor, Owlv2Processor

from vd_core.toybox.pretraining.tokens import build_tokenizer


def write_random_open_detector(folder: Path, side: int = 32) -> None:
    """An OWLv2 of the real class that has learned nothing, with its processor."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = 16
    common = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = Owlv2Config(
        text_config={**common, **ids, "pad_token_id": tokenizer.pad_token_id},
        vision_config={**common, "image_size": side, "patch_size": 8},
        projection_dim=16,
    )
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    Owlv2Processor(Owlv2ImageProcessor(size={"height": side, "width": side}), tokenizer).save_pretrained(folder)
