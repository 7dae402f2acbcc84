"""The networks that the metrics look through: a detector, an identity encoder, a CLIP. None of them takes part in any finetuning.

A base on disk brings its own in `judges/` (the embedded base does); for the real bases they are the public ones that the paper names.
"""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from huggingface_hub import constants, hf_hub_download
from safetensors.torch import load_file
from torch import nn
from torchvision.models import mobilenet_v3_small
from torchvision.models.detection import FasterRCNN, FasterRCNN_MobileNet_V3_Large_FPN_Weights, fasterrcnn_mobilenet_v3_large_fpn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from transformers import CLIPTokenizer, ViTConfig, ViTModel

from vd_core.bases.hub import first_line, loading, where
from vd_core.errors import InputError
from vd_core.files import sha256_of
from vd_core.hub import explain_other_file
from vd_core.metrics.nouns import COCO_NOUNS, known_noun, unknown_nouns
from vd_core.metrics.open_vocabulary import OpenDetector, load_open_detector
from vd_core.settings import FilePart, PublicJudges

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPENAI_MEAN, OPENAI_STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
DINO = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536, "layer_norm_eps": 1e-6}
"""DINO's ViT-S/16, beside the defaults of ViTConfig."""
TIMM_NAMES = (
    ("cls_token", "embeddings.cls_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    ("blocks.", "layers."),
    (".attn.proj.", ".attention.o_proj."),
    (".attn.qkv.", ".attention.qkv."),
    ("norm.", "layernorm."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
)
FETCH_SECONDS = 20
"""How long torchvision may wait for an answer."""


@dataclass(frozen=True)
class Judges:
    """`detector(list of [3, h, w] in 0..1)` as torchvision's; `identity` and `clip` take what `normalise` gives. All lie on `device`.

    `labels` names the detector's classes (index 0 is the background), then the open detector's nouns, if some subject needs one;
    `tokenize(texts)` gives CLIP's ids `[b, n]`. `of_photographs`: CLIP has learned photographs and the words for how good they are.
    What the methods take may lie anywhere; what they give lies on the CPU.
    """

    device: torch.device
    detector: nn.Module
    labels: tuple[str, ...]
    identity: ViTModel
    clip: nn.Module
    tokenize: Callable[[list[str]], torch.Tensor]
    open_detector: OpenDetector | None
    of_photographs: bool

    @torch.no_grad()
    def detections(self, pictures: Iterable[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """All that the detector sees in each picture `[3, h, w]` in 0..1: `boxes` `[n, 4]`, `labels` `[n]`, `scores` `[n]`."""
        results = self.detector([p.to(self.device) for p in pictures])
        return [{key: values.cpu() for key, values in result.items()} for result in results]

    @torch.no_grad()
    def embed_identity(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit identity embeddings `[b, d]` of pictures `[b, 3, h, w]` in 0..1."""
        size = self.identity.config.image_size
        pixels = normalise(pictures.to(self.device), size, IMAGENET_MEAN, IMAGENET_STD)
        return F.normalize(self.identity(pixels).last_hidden_state[:, 0], dim=-1).cpu()

    @torch.no_grad()
    def embed_images(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit CLIP embeddings `[b, d]` of pictures `[b, 3, h, w]` in 0..1."""
        size = self.clip.visual.image_size
        size = size[0] if isinstance(size, tuple) else size
        pixels = normalise(pictures.to(self.device), size, OPENAI_MEAN, OPENAI_STD)
        return self.clip.encode_image(pixels, normalize=True).cpu()

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        """Unit CLIP embeddings `[b, d]` of texts."""
        return self.clip.encode_text(self.tokenize(texts).to(self.device), normalize=True).cpu()


def normalise(pictures: torch.Tensor, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    """Resize pictures `[b, 3, h, w]` in 0..1 to `size` and normalize them."""
    if pictures.shape[-2:] != (size, size):
        pictures = F.interpolate(pictures, (size, size), mode="bilinear", antialias=True, align_corners=False)
    of_channel = [torch.tensor(values, device=pictures.device)[:, None, None] for values in (mean, std)]
    return (pictures - of_channel[0]) / of_channel[1]


def build_detector(num_labels: int, image_size: int) -> FasterRCNN:
    """A small Faster R-CNN on MobileNetV3 for `num_labels` classes besides the background."""
    features = mobilenet_v3_small(weights=None).features
    backbone = BackboneWithFPN(features, {"1": "0", "3": "1", "8": "2"}, in_channels_list=[16, 24, 48], out_channels=64)
    return FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(((14,), (26,), (44,), (72,)), ((0.5, 0.8, 1.2, 2.0),) * 4),
        box_roi_pool=MultiScaleRoIAlign(["0", "1"], 7, 2),
        box_head=TwoMLPHead(64 * 49, 128),
        box_predictor=FastRCNNPredictor(128, num_labels + 1),
        min_size=image_size,
        max_size=image_size,
        rpn_pre_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=100,
        rpn_post_nms_top_n_test=50,
        box_batch_size_per_image=48,
        box_detections_per_img=12,
    )


def build_identity(config: dict) -> ViTModel:
    """An untrained identity encoder."""
    return ViTModel(ViTConfig(**config), add_pooling_layer=False)


def build_clip(config: dict) -> open_clip.CLIP:
    """An untrained open_clip model."""
    return open_clip.CLIP(embed_dim=config["embed_dim"], vision_cfg=config["vision"], text_cfg=config["text"])


def load_local_judges(folder: Path, device: torch.device) -> Judges:
    """Judges from `folder` on `device`: `config.json`, a safetensors file each, and a tokenizer in its parent's `tokenizer/`."""
    config = json.loads((folder / "config.json").read_text())
    detector = build_detector(len(config["labels"]), config["detector_size"])
    identity, clip = build_identity(config["identity"]), build_clip(config["clip"])
    for name, module in (("detector", detector), ("identity", identity), ("clip", clip)):
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(folder / f"{name}.safetensors").items()})
        module.to(device).eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(folder.parent / "tokenizer")

    def tokenize(texts: list[str]) -> torch.Tensor:
        length = config["clip"]["text"]["context_length"]
        return tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt").input_ids

    return Judges(device, detector, ("background", *config["labels"]), identity, clip, tokenize, None, of_photographs=False)


def load_public_judges(judges: PublicJudges, device: torch.device, class_nouns: Sequence[str]) -> Judges:
    """The paper's: COCO's Faster R-CNN on MobileNetV3-Large, DINO ViT-S/16, CLIP ViT-B/32. Fetched from their hubs at first use.

    If the detector lacks one of the subjects' `class_nouns`, OWLv2 looks for it.
    """
    with loading("judge", judges.identity):
        identity = build_identity(DINO)
        identity.load_state_dict(convert_timm(load_file(find_file(judges.identity, "model.safetensors"))))
    with loading("judge", judges.clip):
        weights = find_file(judges.clip, "open_clip_model.safetensors")
        clip = open_clip.create_model("ViT-B-32", pretrained=str(weights), force_quick_gelu=True)
    detector, labels = load_public_detector()
    for module in (detector, identity, clip):
        module.to(device).eval().requires_grad_(False)
    unknown, open_detector = unknown_nouns(COCO_NOUNS, class_nouns), None
    if unknown:
        known = dict.fromkeys(noun for n in class_nouns if (noun := known_noun(COCO_NOUNS, n)))
        open_detector = load_open_detector(judges.open_detector, device, unknown, tuple(known))
    tokenize = open_clip.get_tokenizer("ViT-B-32")
    return Judges(device, detector, (*labels, *unknown), identity, clip, tokenize, open_detector, of_photographs=True)


def load_public_detector() -> tuple[FasterRCNN, tuple[str, ...]]:
    """torchvision's detector and its labels. Its file is no safetensors: torchvision reads it as weights alone, and checks its hash."""
    weights = FasterRCNN_MobileNet_V3_Large_FPN_Weights.DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if constants.HF_HUB_OFFLINE and not file.is_file():
        raise InputError(f"the detector's {file} is missing and HF_HUB_OFFLINE is set; put {weights.url} there")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(FETCH_SECONDS)
    try:
        return fasterrcnn_mobilenet_v3_large_fpn(weights=weights), tuple(weights.meta["categories"])
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the detector cannot be fetched ({first_line(error)}); check the network, or put {weights.url} into {file.parent}/"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def find_file(part: FilePart, name: str) -> Path:
    """A file of a folder, or of a hub's repository, fetched if it is not in the cache; InputError if it is another than the one that is pinned."""
    folder = Path(where(part))
    file = folder / name if folder.is_dir() else Path(hf_hub_download(part.path, name, revision=part.revision))
    if part.sha256 and sha256_of(file) != part.sha256:
        raise InputError(explain_other_file(part.path, file))
    return file


def convert_timm(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """timm's names of a vision transformer's weights as transformers has them; query, key and value lie in one matrix there."""
    converted = {}
    for key, value in weights.items():
        for old, new in TIMM_NAMES:
            key = key.replace(old, new)
        if ".qkv." in key:
            pieces = zip("qkv", value.chunk(3), strict=True)
            converted |= {key.replace(".qkv.", f".{letter}_proj."): piece.contiguous() for letter, piece in pieces}
        else:
            converted[key] = value
    return converted
