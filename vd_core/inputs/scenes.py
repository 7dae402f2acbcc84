"""What a video shows: a scene of all subjects, or each subject's own place and action in it, or scenes one after the other."""

from dataclasses import dataclass
from typing import Any

from vd_core.errors import InputError
from vd_core.inputs.prompts import repeated_prompt, scene_prompt
from vd_core.inputs.subjects import Subject

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in fractions of the picture."""

Layout = dict[str, tuple[Box, ...]]
"""Where each subject is: its boxes, spread evenly over the clip; a single one stays."""

Said = tuple[str, str]
"""What a subject is drawn with alone, in class nouns, and the same without its own action or attribute."""


@dataclass(frozen=True)
class Asked:
    """What a subject is drawn with alone: where, and what is `said` of it alone; None: nothing."""

    place: str
    said: Said | None = None


Raw = str | dict[str | int, Any]
"""A prompt as YAML has it."""

AUTO = "auto"


@dataclass(frozen=True)
class Scene:
    """A prompt, read. `text` is what comes after P_c.

    With `actions` each subject has its own action or attribute, in its boxes of `layout` (None: automatic ones); `bounded` keeps the subjects'
    self-attention apart. With `events`, (first frame, text) each, the scene changes over time; None is the middle of the clip. Who is `led` does what its words say
    because its boxes do (`vd_core.inputs.ways`).
    """

    text: str
    actions: dict[str, str]
    layout: Layout | None
    bounded: bool
    events: tuple[tuple[int | None, str], ...]
    led: frozenset[str] = frozenset()

    @property
    def travels(self) -> bool:
        """Whether any box moves over the clip."""
        return self.layout is not None and any(len(track) > 1 for track in self.layout.values())


def read_scene(raw: Raw) -> Scene:
    """A prompt as params.yaml has it; InputError of one line if it is none."""
    if isinstance(raw, str):
        return Scene(raw, {}, None, False, ())
    if not isinstance(raw, dict) or not raw:
        raise InputError("a prompt is a text, a scene with its subjects, from and to, or texts by frames; write one of these")
    if set(raw) <= {"from", "to"}:
        return read_events(raw, {"from": 0, "to": None})
    if all(str(key).isdecimal() for key in raw):
        return read_events(raw, {key: int(key) for key in raw})
    return read_regions(raw)


def read_events(raw: dict, frames: dict) -> Scene:
    """`{from:, to:}` or `{0:, 8:}`; `frames` has the first frame of each key."""
    missing = frames.keys() - raw.keys()
    if missing:
        raise InputError(f"{' and '.join(missing)} is missing beside {' and '.join(raw)}; a scene that changes has from and to")
    events = [(frames[key], read_text(raw[key], str(key))) for key in raw]
    events.sort(key=lambda event: float("inf") if event[0] is None else event[0])
    if len(events) < 2 or events[0][0] != 0:
        raise InputError(f"events at {', '.join(map(str, raw))}: give two or more, and the first at frame 0")
    return Scene(events[0][1], {}, None, False, tuple(events))


def read_regions(raw: dict) -> Scene:
    """`{scene:, subjects:, layout:, bounded:}`; the last two may be left out."""
    known = ("scene", "subjects", "layout", "bounded")
    for key in raw:
        if key not in known:
            raise InputError(f"'{key}' is not a key of a prompt; choose from {', '.join(known)}, or from and to, or frames")
    text, subjects = read_text(raw.get("scene"), "scene"), raw.get("subjects")
    if not isinstance(subjects, dict) or not subjects:
        raise InputError("subjects names each subject's own action, as {dog: is jumping, cat: ''}; add it")
    bounded = raw.get("bounded", False)
    if not isinstance(bounded, bool):
        raise InputError(f"bounded is {bounded!r}; write true or false")
    actions = {str(name): read_text(action, f"subjects.{name}") for name, action in subjects.items()}
    return Scene(text, actions, read_layout(raw.get("layout", AUTO), actions), bounded, ())


def read_text(raw: Any, key: str) -> str:
    """A text."""
    if not isinstance(raw, str):
        raise InputError(f"{key} is {raw!r}; write a text, '' for none")
    return raw.strip()


def read_layout(raw: Any, actions: dict[str, str]) -> Layout | None:
    """`auto`, or each subject's box, or its boxes over time."""
    if raw == AUTO:
        return None
    if not isinstance(raw, dict) or {str(name) for name in raw} != actions.keys():
        raise InputError(f"layout is auto, or has a box for each of {', '.join(actions)}; write one of these")
    return {str(name): read_boxes(boxes, f"layout.{name}") for name, boxes in raw.items()}


def read_boxes(raw: Any, key: str) -> tuple[Box, ...]:
    """One box, or several over time."""
    boxes = raw if isinstance(raw, list) and raw and isinstance(raw[0], list) else [raw]
    return tuple(read_box(box, key) for box in boxes)


def read_box(raw: Any, key: str) -> Box:
    """Left, top, right and bottom, in fractions, in the picture's order."""
    numbers = isinstance(raw, list) and len(raw) == 4 and all(isinstance(n, int | float) and not isinstance(n, bool) for n in raw)
    if not numbers or not (0 <= raw[0] < raw[2] <= 1 and 0 <= raw[1] < raw[3] <= 1):
        raise InputError(f"{key} is {raw!r}; write [left, top, right, bottom] in fractions of the picture, 0 to 1")
    return (float(raw[0]), float(raw[1]), float(raw[2]), float(raw[3]))


def check_subjects(scene: Scene, names: tuple[str, ...]) -> None:
    """InputError if a scene with regions does not name exactly the combination's subjects."""
    if scene.actions and scene.actions.keys() != set(names):
        raise InputError(f"subjects names {', '.join(scene.actions)}; name each of {', '.join(names)}, with '' for no action of its own")


def whole_prompt(subjects: list[Subject], scene: Scene) -> str:
    """What the whole picture is asked for with, beside the regions' own prompts: P_c and the scene, or its first event."""
    return scene_prompt(subjects, scene.text)


def part_prompts(subjects: list[Subject], scene: Scene, repeat: bool) -> dict[str, str]:
    """What parts of a clip are asked for with, by name: each subject's region, or each event after the first.

    A region's prompt has the place too, or its background would be another: "a sks dog is jumping in the snow". With `repeat` it names its subject
    as often as there are subjects: a base that composes a picture by the number of its nouns puts a single one in the middle, across the boxes.
    """
    regions = {}
    for s in subjects if scene.actions else []:
        own = join(s.instance_prompt, scene.actions[s.name])
        regions[f"subjects.{s.name}"] = join(repeated_prompt(own, len(subjects) if repeat else 1), scene.text)
    return regions | {str(start): scene_prompt(subjects, text) for start, text in scene.events[1:]}


def alone_prompts(subjects: list[Subject], scene: Scene) -> list[str]:
    """What each subject is asked for with alone: in its own action, or in each event in turn; none of a scene that has neither."""
    if scene.actions:
        return list(part_prompts(subjects, scene, repeat=False).values())
    return [
        join(s.instance_prompt, text.replace("are ", "is ", 1) if text.startswith("are ") else text)
        for _, text in scene.events
        for s in subjects
    ]


def ask_alone(subjects: list[Subject], scene: Scene) -> list[Asked]:
    """What each of `alone_prompts` asks for; of who is led, its boxes do what is said of it."""
    if not scene.actions:
        return [Asked(text) for _, text in scene.events for _ in subjects]
    own = {s.name: "" if s.name in scene.led else scene.actions[s.name] for s in subjects}
    said = [(join(s.class_prompt, own[s.name], scene.text), join(s.class_prompt, scene.text)) for s in subjects]
    return [Asked(scene.text, words if own[s.name] else None) for s, words in zip(subjects, said, strict=True)]


def spoken_prompt(subjects: list[Subject], scene: Scene) -> str:
    """The whole of a scene in words: "a sks dog is jumping, a krk cat is spinning in the snow"; events one after the other."""
    if scene.actions:
        return join(", ".join(join(s.instance_prompt, scene.actions[s.name]) for s in subjects), scene.text)
    return join(scene_prompt(subjects, scene.text), *(f", then {text}" for _, text in scene.events[1:])).replace(" ,", ",")


def join(*parts: str) -> str:
    """Texts with one space between them, empty ones left out."""
    return " ".join(part for part in parts if part)


def event_starts(scene: Scene, frames: int) -> list[int]:
    """The first frame of each event in a clip of `frames`; [0] for a scene that does not change."""
    return [frames // 2 if start is None else start for start, _ in scene.events] or [0]


def spoken_prompts(
    name: str, subjects: list[Subject], scenes: list[Scene], related: tuple[str, ...], motion: str | None, repeat: bool
) -> dict[str, str]:
    """What a combination's pictures and videos are asked for with, by the key that each comes from."""
    own = f"combinations.{name}"
    said = {f"{own}.prompts[{i}]": whole_prompt(subjects, scene) for i, scene in enumerate(scenes)}
    for i, scene in enumerate(scenes):
        said |= {f"{own}.prompts[{i}].{part}": prompt for part, prompt in part_prompts(subjects, scene, repeat).items()}
    said |= {f"hlr.related_prompts[{i}]": scene_prompt(subjects, place) for i, place in enumerate(related)}
    return said | ({f"{own}.motion_prompt": motion} if motion is not None else {})
