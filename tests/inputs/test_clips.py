"""Reference clips as people have them: evenly over their time, upright, in little memory, or one line of error."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from tests.helpers.memory import peak_of
from tests.helpers.pictures import noise_picture
from vd_core.errors import InputError
from vd_core.inputs.clips import find_clip, load_clip

ROOT = Path(__file__).parents[2]
Setup = Callable[[av.VideoStream], None]


def grey(level: float, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A plain picture."""
    return Image.new("RGB", size, (round(level),) * 3)


def write_clip(
    path: Path,
    frames: list[Image.Image],
    times: list[int] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    setup: Setup = id,
) -> Path:
    """A video whose frames are shown at `times`, in hundredths of a second; ten a second without."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=100)
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, pixels
        setup(stream)
        for picture, time in zip(frames, times or range(0, 10 * len(frames), 10), strict=True):
            frame = av.VideoFrame.from_image(picture)
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def levels(pictures: list[Image.Image]) -> list[float]:
    """The middle's grey of each."""
    return [float(np.asarray(p.convert("L"))[16:-16, 16:-16].mean()) for p in pictures]


def test_frames_are_spread_over_time_and_not_over_numbers(tmp_path: Path) -> None:
    """Twenty frames in the first second, four in the next four: taken by number, most were of the first second."""
    times = [*range(0, 100, 5), 200, 300, 400, 500]
    path = write_clip(tmp_path / "motion.mp4", [grey(t / 2.5) for t in times], times)
    clip = load_clip(path, 6, 64)
    assert np.abs(np.array(levels(clip.frames)) - [0, 40, 80, 120, 160, 200]).max() < 6 and clip.notes == ()
    clip = load_clip(path, 11, 64)
    assert (np.diff(levels(clip.frames)) > -2).all() and any("stands still" in note for note in clip.notes)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "size"),
    [
        ("motion.mov", "libx265", "yuv420p10le", (98, 66)),
        ("motion.m4v", "libx264", "yuv420p", (64, 96)),
        ("motion.mkv", "ffv1", "bgr0", (71, 67)),
        ("motion.webm", "libvpx-vp9", "yuv420p", (65, 67)),
        ("motion.avi", "mpeg4", "yuv420p", (70, 66)),
        ("motion.gif", "gif", "rgb8", (65, 67)),
        ("MOTION.MP4", "libx264", "yuv444p", (65, 67)),
    ],
)
def test_every_kind(name: str, codec: str, pixels: str, size: tuple[int, int], tmp_path: Path) -> None:
    write_clip(tmp_path / name, [grey(20 * i, size) for i in range(10)], codec=codec, pixels=pixels)
    (tmp_path / "dog").mkdir()
    (tmp_path / "notes.txt").touch()
    path = find_clip(tmp_path)
    assert path is not None and path.name == name
    clip = load_clip(path, 4, 64)
    assert clip.total == 10 and {p.size for p in clip.frames} == {(64, 64)} and clip.notes == ()
    assert np.abs(np.array(levels(clip.frames)) - [0, 60, 120, 180]).max() < 20  # gif has few greys


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_clips_stand_upright(degrees: int, mirrored: bool, tmp_path: Path) -> None:
    """Every clip of a phone held upright lay on its side."""
    picture = Image.new("RGB", (64, 64), "black")
    picture.paste("red", (0, 0, 32, 32))
    picture.paste("blue", (32, 0, 64, 32))
    path = write_clip(tmp_path / "a.mp4", [picture] * 4, setup=lambda s: s.set_display_rotation(degrees, hflip=mirrored))
    shown = picture.rotate(degrees)
    shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else shown
    for frame in load_clip(path, 4, 64).frames:
        assert np.abs(np.asarray(frame, dtype=float) - np.asarray(shown, dtype=float)).mean() < 6


def test_a_folder_of_frames_is_a_clip(tmp_path: Path) -> None:
    folder = tmp_path / "motion"
    folder.mkdir()
    for i in range(12):
        grey(20 * i).save(folder / f"frame {i}.png")  # 10 comes after 9
    (folder / ".DS_Store").touch()
    (folder / "notes.txt").touch()
    assert find_clip(tmp_path) == folder
    clip = load_clip(folder, 4, 64)
    assert levels(clip.frames) == [0, 80, 140, 220] and clip.total == 12 and "left out notes.txt" in clip.notes[0]
    with pytest.raises(InputError, match=r"motion has 12 frames; at least 13 are needed \(motion\.frames\)"):
        load_clip(folder, 13, 64)
    grey(0).save(folder / "cover.png")
    with pytest.raises(InputError, match=r"cover\.png does not end in a number"):
        load_clip(folder, 4, 64)


def test_one_clip_and_no_more(tmp_path: Path) -> None:
    assert find_clip(tmp_path) is None
    (tmp_path / "motion.mp4").touch()
    (tmp_path / "motion").mkdir()
    (tmp_path / "motion.old").mkdir()
    with pytest.raises(InputError, match=r"has motion and motion\.mp4; keep one"):
        find_clip(tmp_path)
    (tmp_path / "motion" / "subject.yaml").touch()  # a subject of that name
    assert find_clip(tmp_path) == tmp_path / "motion.mp4"
    (tmp_path / "motion.MOV").touch()
    with pytest.raises(InputError, match=r"has motion\.MOV and motion\.mp4; keep one"):
        find_clip(tmp_path)


def test_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "link.mp4").symlink_to(ROOT / "data/toys/motion.mp4")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{ROOT}/data/toys/motion.mp4\n#EXT-X-ENDLIST\n")
    write_clip(tmp_path / "still.mp4", [grey(0)])
    for name, message in {
        "text": "is not a readable video",
        "empty": "is empty",
        "link": "is a link or a device",
        "list": "is not a readable video",
        "still": r"has 1 frame; at least 4 are needed \(motion\.frames\)",
    }.items():
        with pytest.raises(InputError, match=rf"{name}\.mp4 {message}"):
            load_clip(tmp_path / f"{name}.mp4", 4, 16)


@pytest.mark.parametrize("has_cover", [False, True])
def test_sound_alone_and_with_a_cover(has_cover: bool, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        if has_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 64, "yuvj420p", Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame.from_image(grey(200)).reformat(format="yuvj420p")))
            container.mux(cover.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len(container.streams.video) == has_cover
    with pytest.raises(InputError, match=r"a\.mp4 has no moving picture"):
        load_clip(tmp_path / "a.mp4", 1, 16)


def test_what_is_broken_in_the_middle_is_left_out_with_a_word(tmp_path: Path) -> None:
    """Frames that are predicted from a damaged one are smeared, and not marked as such."""
    ground = np.asarray(noise_picture(0, (16, 16)).resize((128, 128), Image.Resampling.BICUBIC))
    frames = [Image.fromarray(np.roll(ground, 3 * i, axis=1)) for i in range(48)]
    path = write_clip(tmp_path / "a.mp4", frames, setup=key_frame_every_8)
    whole = {f.tobytes() for f in load_clip(path, 48, 128).frames}
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][18]
    data = bytearray(path.read_bytes())
    data[packet.pos + 8 : packet.pos + packet.size] = bytes(packet.size - 8)
    path.write_bytes(data)
    clip = load_clip(path, 8, 128)
    assert 36 <= clip.total < 48 and "cannot be decoded" in clip.notes[0]
    assert {f.tobytes() for f in load_clip(path, clip.total, 128).frames} < whole
    with pytest.raises(InputError, match="at least 48 are needed"):
        load_clip(path, 48, 64)


def key_frame_every_8(stream: av.VideoStream) -> None:
    """Few frames hang on a damaged one."""
    stream.codec_context.gop_size = 8


def test_the_start_of_a_clip_whose_end_is_missing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", [noise_picture(i, (128, 128)) for i in range(24)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 8 <= load_clip(path, 8, 64).total < 24


def test_ten_thousand_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [grey(i / 40, (32, 32)) for i in range(10_000)], list(range(10_000)))
    clip = load_clip(path, 16, 32)
    assert clip.total == 10_000 and clip.frames[0].getextrema()[0][0] < 4 and clip.frames[-1].getextrema()[0][0] > 240


def encode_fast(stream: av.VideoStream) -> None:
    """x264's quickest preset."""
    stream.options = {"preset": "ultrafast"}


def test_memory_is_for_the_chosen_frames(tmp_path: Path) -> None:
    """Thirty seconds of 1920 x 1080 took 7.7 GB; 60 frames in RGB are 373 MB."""
    path = write_clip(tmp_path / "a.mp4", [grey(0, (1920, 1080))] * 60, setup=encode_fast)
    count, peak = peak_of(f"len(load_clip(Path({str(path)!r}), 16, 64).frames)", "from vd_core.inputs.clips import load_clip")
    assert count == 16 and peak < 200
