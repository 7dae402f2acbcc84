"""render → runs/<combination>/encode: the rendered frames as mp4 and gif."""

import json

from tqdm import tqdm

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.paths import run_folder
from tasks.shared.sections import EncodeSection
from vd_core.inputs.clips import save_video
from vd_core.inputs.pictures import load_numbered


def encode(section: EncodeSection, name: str) -> None:
    """Encode every rendered clip."""
    rendered = run_folder(name, "render")
    videos = json.loads((rendered / "videos.json").read_text())
    with replaced_folder(name, "encode") as folder:
        for video in tqdm(videos, "encoding", unit="clip"):
            save_video(load_numbered(rendered / video["video"]), folder / f"{video['video']}.mp4", section.fps)
    print(f"{len(videos)} videos (mp4 and gif) in {run_folder(name, 'encode')}/")


if __name__ == "__main__":
    run_stage(encode, EncodeSection)
