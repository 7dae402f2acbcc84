"""Frames to mp4 and gif, and a reference clip as people have it back to frames."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from vd_core.errors import InputError
from vd_core.inputs.decoding import check_plain_file, flatten, read_picture
from vd_core.inputs.inspecting import Finding, by_reason, left_out_lines, shown, sort_files
from vd_core.inputs.pictures import to_pictures

ENDINGS = ".mp4 .mov .m4v .webm .mkv .avi .gif"
SAFE = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,gif,mpegts"}
"""A playlist that calls itself motion.mp4 must open no other file and no address."""
TURNS = {
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""What the signs of a display matrix's a, b, c and d ask of a player: x' = ax + cy, y' = bx + dy."""

ENCODING = {"crf": "12", "preset": "medium", "threads": "1"}  # x264's bytes depend on its threads
SMALLEST_SHOWN = 256  # smaller clips are enlarged by a whole factor, so that a player shows more than a stamp


@dataclass(frozen=True)
class Clip:
    """The frames taken of a clip, out of how many, and what a person should know of how they were read."""

    frames: list[Image.Image]
    total: int
    notes: tuple[str, ...]


def enlarge(picture: Image.Image) -> Image.Image:
    """A picture at a whole multiple of its size, at least SMALLEST_SHOWN wide."""
    factor = -(-SMALLEST_SHOWN // picture.width)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST) if factor > 1 else picture


def save_video(frames: list[Image.Image], path: Path, fps: int) -> None:
    """Write a clip's frames as `path` (H.264 mp4) and as a gif beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [enlarge(p) for p in frames]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=ENCODING)
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


def find_clip(folder: Path) -> Path | None:
    """The clip in a combination's folder: `motion.mp4`, one with another ending, or a folder `motion/` of frames; InputError if there are two."""
    found = [p for p in sorted(folder.iterdir()) if is_frames(p) or (p.stem.lower() == "motion" and p.suffix.lower() in ENDINGS.split())]
    if len(found) > 1:
        raise InputError(f"{folder} has {' and '.join(shown(p) for p in found)}; keep one of them as the clip")
    return found[0] if found else None


def is_frames(path: Path) -> bool:
    """Whether `path` is a folder of a clip's frames, and not of a subject that is called motion."""
    return path.name == "motion" and path.is_dir() and not (path / "subject.yaml").exists()


def load_clip(path: Path, num_frames: int, resolution: int) -> Clip:
    """`num_frames` frames spread evenly in time over a video, or over a folder of numbered pictures, as middle squares at `resolution`.

    InputError if it cannot be read or has fewer frames. Only the chosen frames are kept in memory.
    """
    return load_frames(path, num_frames, resolution) if path.is_dir() else load_video(path, num_frames, resolution)


def load_frames(folder: Path, num_frames: int, resolution: int) -> Clip:
    """The clip in a folder of pictures whose names end in their numbers."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link; put the folder itself there")
    pictures, left_out = sort_files(folder)
    for path in pictures:
        if not re.search(r"\d+$", path.stem):
            raise InputError(f"{path} does not end in a number; name the clip's frames in their order, for example 000.png, or remove it")
    ordered = sorted(pictures, key=lambda p: int(re.findall(r"\d+$", p.stem)[0]))
    chosen = spread_evenly(list(range(len(ordered))), num_frames, folder)
    reads = [read_picture(ordered[i]) for i in chosen]
    findings = [Finding(ordered[i], note) for i, read in zip(chosen, reads, strict=True) for note in read.notes]
    return Clip([square(r.picture, resolution) for r in reads], len(ordered), (*by_reason(findings), *left_out_lines(left_out)))


def load_video(path: Path, num_frames: int, resolution: int) -> Clip:
    """The clip in a video, decoded twice: for the times of its frames, then for the chosen frames."""
    check_plain_file(path)
    faults: list[str] = []
    times = [frame.pts for frame in decode(path, faults)]
    chosen = spread_evenly(times, num_frames, path)
    kept = {i: square(upright(frame), resolution) for i, frame in enumerate(decode(path, [])) if i in chosen}
    notes = []
    if faults:
        notes.append(f"{len(faults)} parts of it cannot be decoded ({faults[0]}); the {len(times)} frames that can are used")
    if len(kept) < num_frames:
        notes.append(f"{len(kept)} different frames among the {num_frames}: the clip stands still in places")
    return Clip([kept[i] for i in chosen], len(times), tuple(notes))


def spread_evenly(times: list[int | None], num_frames: int, path: Path) -> list[int]:
    """The indices of the frames nearest to `num_frames` even steps from the first of `times` to the last; by number where times are missing."""
    if len(times) < num_frames:
        raise InputError(f"{path} has {len(times)} frame{'s' * (len(times) != 1)}; at least {num_frames} are needed (motion.frames)")
    if None in times or (np.diff(times) <= 0).any():
        times = list(range(len(times)))
    steps = np.linspace(times[0], times[-1], num_frames)
    return np.interp(steps, times, np.arange(len(times))).round().astype(int).tolist()


def decode(path: Path, faults: list[str]) -> Iterator[av.VideoFrame]:
    """The sound frames of a video, one after the other; a line in `faults` for each part that is not. InputError if it is no video."""
    try:
        with av.open(str(path), options=SAFE) as container:
            stream = next((s for s in container.streams.video if Disposition.attached_pic not in s.disposition), None)
            if stream is None:
                raise InputError(f"{path} has no moving picture, only sound or a cover; replace or remove it")
            yield from sound_frames(stream, packets(container, stream, faults), faults)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path} is not a readable video ({type(error).__name__}); replace or remove it") from None


def packets(container: InputContainer, stream: VideoStream, faults: list[str]) -> Iterator[av.Packet | None]:
    """A stream's packets as far as they can be read, and at the end what empties the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as error:
        faults.append(type(error).__name__)
        yield None


def sound_frames(stream: VideoStream, packets: Iterator[av.Packet | None], faults: list[str]) -> Iterator[av.VideoFrame]:
    """The frames in `packets`, but for damaged ones and those that are predicted from them: all up to the next key frame."""
    is_lost, is_smeared, suspects = False, False, set()
    for packet in packets:
        is_lost = is_lost and not (packet and packet.is_keyframe)
        suspects |= {packet.pts} if is_lost and packet else set()
        try:
            frames = stream.decode(packet)
        except av.error.FFmpegError as error:
            faults.append(type(error).__name__)
            is_lost = True
            continue
        for frame in frames:  # the decoder holds some back: these may be of packets before the damaged one
            is_smeared = frame.is_corrupt or (is_smeared and not frame.key_frame)
            if is_smeared or (frame.pts is not None and frame.pts in suspects):
                faults.append("damaged frame")
            else:
                yield frame


def upright(frame: av.VideoFrame) -> Image.Image:
    """A frame as a player shows it: turned by the container's display matrix, on white where it is transparent."""
    has_alpha = any(component.is_alpha for component in frame.format.components)
    picture = flatten(Image.fromarray(frame.to_ndarray(format="rgba")))[0] if has_alpha else frame.to_image()
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return picture
    a, b, _, c, d = np.sign(np.frombuffer(bytes(matrix), np.int32)[:5]).tolist()
    turn = TURNS.get((a, b, c, d))
    return picture if turn is None else picture.transpose(turn)


def square(picture: Image.Image, resolution: int) -> Image.Image:
    """The middle square of a frame at `resolution`; whole-factor enlargements are undone exactly."""
    resample = Image.Resampling.BOX if min(picture.size) > resolution else Image.Resampling.LANCZOS
    return ImageOps.fit(picture, (resolution, resolution), resample)
