"""Pictures for tests."""

import numpy as np
from PIL import Image


def noise_picture(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """A picture of coloured noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
