"""A person's nouns, and those that a detector knows."""

from collections.abc import Sequence

COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, parking meter, bench, bird,
cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard,
sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon,
bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table,
toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors,
teddy bear, hair drier, toothbrush
"""
COCO_NOUNS = tuple(" ".join(COCO.split()).split(", "))
"""What the public detector knows, in torchvision's order; asking torchvision takes seconds of imports, so a test compares."""


def known_noun(labels: Sequence[str], class_noun: str) -> str | None:
    """The detector's label of a noun: the noun itself, or its last words ("tabby cat" is a cat, "brown teddy bear" a teddy bear); None if it has none."""
    words = class_noun.lower().split()
    endings = [" ".join(words[i:]) for i in range(len(words))]
    return next((e for e in endings if e in labels), None)


def unknown_nouns(labels: Sequence[str], class_nouns: Sequence[str]) -> tuple[str, ...]:
    """The nouns that the detector has no label of, once each, as labels are written."""
    return tuple(dict.fromkeys(" ".join(noun.lower().split()) for noun in class_nouns if known_noun(labels, noun) is None))
