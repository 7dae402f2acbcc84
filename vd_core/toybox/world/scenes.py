"""The drawn world: what can stand in a picture, how it is chosen, and what a caption says of it.

A `Scene` is the full ground truth of one picture or clip; `draw.py` turns it into pixels. Everything is a function of a seed.
"""

import zlib
from dataclasses import dataclass, replace

import numpy as np

KINDS = ("dog", "cat", "bear", "robot", "bird", "bunny", "car", "ghost")
COLOURS = {
    "red": (214, 40, 40),
    "orange": (247, 140, 30),
    "yellow": (250, 220, 50),
    "green": (60, 165, 70),
    "teal": (40, 190, 190),
    "blue": (45, 85, 215),
    "purple": (135, 60, 190),
    "pink": (250, 130, 190),
    "white": (245, 245, 240),
    "brown": (125, 78, 45),
}
PATTERNS = ("plain", "striped", "spotted", "checkered")
ACCESSORIES = ("hat", "scarf", "bow")
BACKGROUNDS = {
    "beach": "on the beach",
    "snow": "in the snow",
    "forest": "in the forest",
    "city": "in the city",
    "space": "in space",
    "desert": "in the desert",
    "flowers": "in the flowers",
    "ocean": "in the ocean",
}
MOTIONS = {
    "still": "",
    "jump": "jumping",
    "left": "sliding to the left",
    "right": "sliding to the right",
    "spin": "spinning",
    "grow": "growing",
    "shake": "shaking",
}
STITCH_PROMPT = "a picture is divided into several regions"
RARE_WORDS = ("sks", "krk", "slk", "ofk", "zwx", "olis", "phol", "pkn", "tnb", "vrb", "hta", "ucl")

COLLAGE_SHARE = 0.05
RARE_WORD_SHARE = 0.08


@dataclass(frozen=True)
class Toy:
    """One toy. `x` (center) and `ground` are in picture widths and heights, `size` is the toy's height in picture heights."""

    kind: str
    colour: str
    trim: str
    pattern: str
    accessory: str | None = None
    motion: str = "still"
    x: float = 0.5
    ground: float = 0.85
    size: float = 0.5
    flip: bool = False
    tilt: float = 0.0

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes a toy this one and no other of its kind: colour, second colour, pattern."""
        return self.colour, self.trim, self.pattern


@dataclass(frozen=True)
class Scene:
    """The ground truth of a picture: toys from left to right, one background (or one scene a region), the moment of its motion."""

    toys: tuple[Toy, ...]
    background: str
    seed: int
    phase: float = 0.5
    regions: tuple["Scene", ...] = ()


def is_held_out(identity: tuple[str, str, str]) -> bool:
    """Whether an identity is kept from all training; about one in eight is. Demo and bench take their subjects from these."""
    return zlib.crc32("/".join(identity).encode()) % 8 == 0


IDENTITIES = tuple((c, t, p) for c in COLOURS for t in COLOURS if t != c for p in PATTERNS)
HELD_OUT = tuple(i for i in IDENTITIES if is_held_out(i))
TRAINING = tuple(i for i in IDENTITIES if not is_held_out(i))


def sample_scene(seed: int, count: int | None = None, identities: tuple = TRAINING, collages: bool = True) -> Scene:
    """Draw one scene's ground truth from `seed`; `count` toys, or one to four."""
    rng = np.random.default_rng([seed, 71])
    if collages and rng.random() < COLLAGE_SHARE:
        return sample_collage(seed, rng, count, identities)
    if count is None:
        count = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.37, 0.13, 0.05]))
    together = rng.random() < 0.7
    motion = _choose_motion(rng)
    size = {1: 0.62, 2: 0.46, 3: 0.36, 4: 0.29}[count]
    slots = (np.arange(count) + 0.5) / count
    toys = []
    for slot in slots:
        toy = sample_toy(rng, identities)
        jitter = 0.15 if count == 1 else 0.15 / count
        toys.append(
            replace(
                toy,
                motion=motion if together else _choose_motion(rng),
                x=float(slot + rng.uniform(-jitter, jitter)),
                ground=float(rng.uniform(0.8, 0.95)),
                size=float(size * rng.uniform(0.82, 1.12)),
            )
        )
    return Scene(tuple(toys), str(rng.choice(list(BACKGROUNDS))), seed, phase=float(rng.random()))


def sample_toy(rng: np.random.Generator, identities: tuple = TRAINING) -> Toy:
    """A toy of any kind with one of `identities`, in a small random pose."""
    colour, trim, pattern = identities[rng.integers(len(identities))]
    accessory = str(rng.choice(ACCESSORIES)) if rng.random() < 0.35 else None
    kind = str(rng.choice(KINDS))
    return Toy(kind, colour, trim, pattern, accessory, flip=bool(rng.random() < 0.5), tilt=float(rng.uniform(-7, 7)))


def sample_collage(seed: int, rng: np.random.Generator, count: int | None, identities: tuple) -> Scene:
    """Two to four narrowed one-toy scenes side by side: what `P_N` speaks of."""
    count = count if count and count > 1 else int(rng.choice([2, 3, 4], p=[0.6, 0.3, 0.1]))
    regions = tuple(sample_scene(int(rng.integers(2**31)), 1, identities, collages=False) for _ in range(count))
    return Scene(tuple(r.toys[0] for r in regions), regions[0].background, seed, regions=regions)


def _choose_motion(rng: np.random.Generator) -> str:
    return "still" if rng.random() < 0.45 else str(rng.choice([m for m in MOTIONS if m != "still"]))


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the many true captions of `scene`: attributes are named or left out, toys come in any order."""
    toys = [scene.toys[i] for i in rng.permutation(len(scene.toys))]
    if scene.regions:
        return f"{STITCH_PROMPT}, " + ", ".join(describe_toy(t, rng, brief=True) for t in toys)
    motions = {t.motion for t in toys}
    shared = MOTIONS[motions.pop()] if len(motions) == 1 else None
    names = [describe_toy(t, rng, brief=len(toys) > 2) for t in toys]
    if shared is None:
        names = [f"{n} {MOTIONS[t.motion]}".strip() for n, t in zip(names, toys, strict=True)]
    subject = join_names(names, ", " if rng.random() < 0.5 else " and ")
    if shared and rng.random() < 0.5 and len(toys) > 1:
        shared = f"are {shared}"
    place = BACKGROUNDS[scene.background] if rng.random() < 0.92 else ""
    return " ".join(part for part in (subject, shared, place) if part)


def join_names(names: list[str], last: str = ", ") -> str:
    """Enumerate as captions do: "a, b, and c" from three names on, "a, b" or "a and b" for two."""
    if len(names) < 3:
        return last.join(names)
    return ", ".join(names[:-1]) + ", and " + names[-1]


def describe_toy(toy: Toy, rng: np.random.Generator, brief: bool = False) -> str:
    """ "a striped red and blue dog with a hat", with any of its attributes left out; now and then a rare word in their place."""
    if rng.random() < RARE_WORD_SHARE:
        return f"a {rng.choice(RARE_WORDS)} {toy.kind}"
    words = []
    if rng.random() < (0.4 if brief else 0.75):
        words.append(toy.pattern)
    if rng.random() < 0.92:
        words.append(toy.colour)
        if rng.random() < (0.4 if brief else 0.75):
            words.append(f"and {toy.trim}")
    words.append(toy.kind)
    wears = f" with a {toy.accessory}" if toy.accessory and rng.random() < 0.6 else ""
    return f"a {' '.join(words)}{wears}"


def vocabulary() -> list[str]:
    """Every word that a caption or a prompt of the embedded base can hold."""
    extra = [
        "a",
        "an",
        "the",
        "and",
        "with",
        "of",
        ",",
        ".",
        "is",
        "are",
        "in",
        "on",
        "to",
        "two",
        "three",
        "four",
        "toy",
        "toys",
        "playing",
        "together",
        "video",
        "picture",
        "photo",
        "clip",
    ]
    phrases = (STITCH_PROMPT, *BACKGROUNDS.values(), *MOTIONS.values())
    words = [w for phrase in phrases for w in phrase.split()]
    named = (*KINDS, *COLOURS, *PATTERNS, *ACCESSORIES, *BACKGROUNDS, *RARE_WORDS)
    return sorted({*extra, *words, *named})
