"""Frames to mp4 and gif, and back."""

from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageOps

from vd_core.errors import InputError
from vd_core.inputs.pictures import to_pictures

SMALLEST_SHOWN = 256  # smaller clips are enlarged by a whole factor, so that a player shows more than a stamp


def enlarge(picture: Image.Image) -> Image.Image:
    """A picture at a whole multiple of its size, at least SMALLEST_SHOWN wide."""
    factor = -(-SMALLEST_SHOWN // picture.width)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST) if factor > 1 else picture


def save_video(frames: list[Image.Image], path: Path, fps: int) -> None:
    """Write a clip's frames as `path` (H.264 mp4) and as a gif beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [enlarge(p) for p in frames]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"crf": "12", "preset": "medium", "threads": "1"}
        )  # x264's bytes depend on its threads
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    pictures[0].save(path.with_suffix(".gif"), save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0)


def save_frames(frames: torch.Tensor, folder: Path) -> None:
    """Write a clip's frames as PNGs, exactly as they were made: what the metrics read."""
    folder.mkdir(parents=True)
    for i, picture in enumerate(to_pictures(frames)):
        picture.save(folder / f"{i:03d}.png")


def load_clip(path: Path, num_frames: int, resolution: int) -> list[Image.Image]:
    """`num_frames` frames spread evenly over a video, their middle squares at `resolution`; InputError if it cannot be read."""
    try:
        with av.open(str(path)) as container:
            frames = [frame.to_image() for frame in container.decode(video=0)]
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise InputError(f"{path} is not a readable video ({type(error).__name__}); replace or remove it") from None
    if len(frames) < num_frames:
        raise InputError(f"{path} has {len(frames)} frames; at least {num_frames} are needed (motion.frames)")
    chosen = np.linspace(0, len(frames) - 1, num_frames).round().astype(int)
    return [square(frames[i], resolution) for i in chosen]


def square(picture: Image.Image, resolution: int) -> Image.Image:
    """The middle square of a frame at `resolution`; whole-factor enlargements are undone exactly."""
    resample = Image.Resampling.BOX if min(picture.size) > resolution else Image.Resampling.LANCZOS
    return ImageOps.fit(picture, (resolution, resolution), resample)
