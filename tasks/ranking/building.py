"""A human study as one page: what several methods made of the same prompts, shuffled and unnamed."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tasks.shared.paths import run_folder
from tasks.shared.templates import read_template
from vd_core.errors import InputError
from vd_core.files import fingerprint_of, replacing, write_json
from vd_core.inputs.prompts import plain_prompt
from vd_core.inputs.subjects import Subject

REFERENCE_SIDE = 192
REFERENCES = 3
"""Pictures of each subject that are shown."""


@dataclass(frozen=True)
class Question:
    """One prompt: what is asked for, and every method's video of it, `videos[method]`."""

    prompt: str
    videos: dict[str, Path]


def read_videos(combination: str) -> dict[tuple[str, str], Path]:
    """A finished combination's videos, by generator and prompt in plain words."""
    rendered = run_folder(combination, "render") / "videos.json"
    encoded = run_folder(combination, "encode")
    if not rendered.is_file() or not encoded.is_dir():
        raise InputError(f"{combination} has no videos; run 'dvc repro encode@{combination}' first")
    subjects = read_subjects(combination)
    rows = json.loads(rendered.read_text())
    return {(row["generator"], plain_prompt(row["prompt"], subjects)): encoded / f"{row['video']}.mp4" for row in rows}


def read_subjects(combination: str) -> list[Subject]:
    """The subjects that the mix stage prepared."""
    about = json.loads((run_folder(combination, "mix") / "subjects" / "about.json").read_text())["subjects"]
    return [Subject(s["name"], s["class_noun"], s["placeholder_token"], Path()) for s in about]


def find_questions(combinations: dict[str, str]) -> list[Question]:
    """The prompts that every method (name to combination) has a video of, by the same generator; InputError if there are none."""
    videos = {method: read_videos(combination) for method, combination in combinations.items()}
    shared = [key for key in next(iter(videos.values())) if all(key in own for own in videos.values())]
    if not shared:
        raise InputError(f"{', '.join(combinations.values())} share no prompt and generator; give them the same prompts in params.yaml")
    return [Question(key[1], {method: own[key] for method, own in videos.items()}) for key in shared]


def build_study(combinations: dict[str, str], target: Path, asked: int) -> int:
    """Write the page `target`, and beside it `<name>.key.json`, which says whose each video is; the number of questions."""
    questions = find_questions(combinations)
    study = fingerprint_of({"methods": combinations, "questions": [q.prompt for q in questions]}, [])[:16]
    shown, key = [], {}
    for number, question in enumerate(questions):
        names = {method: fingerprint_of({"study": study, "question": number, "method": method}, [])[:10] for method in question.videos}
        order = sorted(names.values())  # a hash's order is nobody's
        sources = {name: embed(question.videos[method].read_bytes(), "video/mp4") for method, name in names.items()}
        shown.append({"id": number, "prompt": question.prompt, "videos": [{"id": n, "source": sources[n]} for n in order]})
        key[str(number)] = {name: method for method, name in names.items()}
    page = read_template(__file__, "page.html").render(
        study=study, questions=shown, references=read_references(next(iter(combinations.values()))), asked=min(asked, len(shown))
    )
    with replacing(target) as aside:
        aside.write_text(page)
    prompts = {str(i): q.prompt for i, q in enumerate(questions)}
    write_json(target.with_suffix(".key.json"), {"study": study, "methods": list(combinations), "prompts": prompts, "videos": key})
    return len(questions)


def read_references(combination: str) -> list[dict]:
    """Each subject's noun and some of its pictures, small."""
    folder = run_folder(combination, "mix") / "subjects"
    return [
        {"noun": s.class_noun, "pictures": [shrink(p) for p in sorted((folder / s.name).glob("*.png"))[:REFERENCES]]}
        for s in read_subjects(combination)
    ]


def shrink(path: Path) -> str:
    """A picture of at most REFERENCE_SIDE pixels as a data: URI."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((REFERENCE_SIDE, REFERENCE_SIDE))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90)
    return embed(data.getvalue(), "image/jpeg")


def embed(data: bytes, kind: str) -> str:
    """Bytes as a data: URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
