"""A person's nouns, and those that a detector knows."""


def known_noun(labels: tuple[str, ...], class_noun: str) -> str | None:
    """The detector's label of a noun: the noun itself, or its last words ("tabby cat" is a cat, "brown teddy bear" a teddy bear); None if it has none."""
    words = class_noun.lower().split()
    endings = [" ".join(words[i:]) for i in range(len(words))]
    return next((e for e in endings if e in labels), None)
