"""How metrics are shown to people: in words, and with the direction that is better."""

HIGHER, LOWER = "↑", "↓"
BETTER = {
    "subject_fidelity": HIGHER,
    "missing_rate": LOWER,
    "text_fidelity": HIGHER,
    "temporal_consistency": HIGHER,
    "stitch_score": LOWER,
    "motion_smoothness": HIGHER,
    "identity_margin": HIGHER,
    "collapse_rate": LOWER,
    "imaging_quality": HIGHER,
    "aesthetic_quality": HIGHER,
}
NAMES = {
    "text2video_zero": "Text2Video-Zero",
    "animatediff": "AnimateDiff",
    "disen_mix": "Disen-Mix",
    "dreambooth": "DreamBooth",
    "custom_diffusion": "Custom Diffusion",
    "svdiff": "SVDiff",
}


def in_words(name: str) -> str:
    """The name of a metric, a generator or a method for people: "subject fidelity"."""
    return NAMES.get(name, name.replace("_", " "))


def with_direction(name: str) -> str:
    """A metric's name with an arrow: up if higher is better, down if lower is."""
    return f"{in_words(name)} {BETTER.get(name, '')}".strip()


def figures_table(means: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows, one a metric, of a table of metrics with a column a generator: narrow enough for a phone and for Prefect's UI."""
    names = list(dict.fromkeys(name for figures in means.values() for name in figures))
    rows = [[with_direction(n), *(f"{own[n]:.3f}" if n in own else "–" for own in means.values())] for n in names]
    return ["", *map(in_words, means)], rows
