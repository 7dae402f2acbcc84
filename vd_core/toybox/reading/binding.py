"""Attribute binding: does each toy have its own looks? By the attribute reader, in the drawn world alone."""

from collections.abc import Mapping

Toys = Mapping[str, tuple[str, str, str]]
"""The toys that were asked for: kind to (color, second color, pattern)."""


def attribute_binding(found: list[dict[str, str]], toys: Toys) -> dict[str, float]:
    """Figures of one picture from what `read_picture` found, each the mean over `toys`, 0 to 1.

    `absent`: no toy of the kind is read. `binding`: a toy of the kind has its own color. `full_binding`: and its own second color and pattern.
    `blend`: a toy of the kind has another's color. The weights are the embedded base's own reader (models/toybox/judges, as this repository).
    """
    rows = [bind_toy([r for r in found if r["kind"] == kind], kind, toys) for kind in toys]
    return {name: sum(row[name] for row in rows) / len(toys) for name in rows[0]}


def bind_toy(own: list[dict[str, str]], kind: str, toys: Toys) -> dict[str, bool]:
    """The same of one toy, from what is read as its kind."""
    others = {looks[0] for k, looks in toys.items() if k != kind} - {toys[kind][0]}
    return {
        "absent": not own,
        "binding": any(r["colour"] == toys[kind][0] for r in own),
        "full_binding": any((r["colour"], r["trim"], r["pattern"]) == tuple(toys[kind]) for r in own),
        "blend": any(r["colour"] in others for r in own),
    }
