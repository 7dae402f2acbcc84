"""What the drawn edition of MultiStudioBench must keep to, beside the format."""

from collections.abc import Collection

from vd_core.studies.multistudio import DrawnSubject, Edition
from vd_core.toybox.world.demo import SUBJECTS
from vd_core.toybox.world.scenes import HELD_OUT, KINDS, vocabulary

Looks = tuple[str, str, str]


def find_toy_faults(edition: Edition, used: Collection[Looks]) -> list[str]:
    """What is wrong with a drawn edition, one line each; `used` are the looks that something else was tuned or reported on."""
    toys = {name: s for name, s in edition.subjects.items() if isinstance(s, DrawnSubject)}
    lines = [f"subjects.{name} is no drawn toy" for name in edition.subjects if name not in toys]
    for name, toy in toys.items():
        lines += [f"subjects.{name}: {reason}" for reason in explain_toy(toy, used)]
    for name, own in edition.combinations.items():
        colours = [toys[s].looks[0] for s in own if s in toys]
        if len(set(colours)) < len(colours):
            lines.append(f"combinations.{name} has two toys of one color; a blend would not show")
    known = set(vocabulary())
    for kind, prompts in edition.prompts:
        lines += [f"prompts.{kind}: the base has no word '{word}'" for prompt in prompts for word in prompt.split() if word not in known]
    return lines


def explain_toy(toy: DrawnSubject, used: Collection[Looks]) -> list[str]:
    """What is wrong with one toy."""
    reasons = [f"there is no toy called {toy.class_noun}"] if toy.class_noun not in KINDS else []
    if toy.looks not in HELD_OUT:
        reasons.append(f"{' '.join(toy.looks)} is not held out: the base has seen it")
    if toy.looks in used or toy.looks in SUBJECTS.values():
        reasons.append(f"{' '.join(toy.looks)} is the demo's or the tuning's")
    return reasons
