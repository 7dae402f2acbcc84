"""What a person types for a new combination: names, nouns, prompts."""

import re
import unicodedata
from pathlib import Path

from vd_core.errors import InputError

LONGEST_NOUN = 40  # characters; "a <token> <noun>" of all subjects and a scene must fit into one prompt
MOST_WORDS = 75  # CLIP reads 75 tokens of a prompt, and every word is one or more
ARTICLES = {"a", "an", "the"}


def split_subject(text: str) -> tuple[str, Path]:
    """ "tabby cat=~/Pictures/mia" as noun and folder; InputError if it is no such pair or the noun will not do."""
    noun, equals, folder = text.partition("=")
    noun = " ".join(noun.split())
    if not (equals and noun and folder.strip()):
        raise InputError(f"--subject '{text}' is not noun=folder; write, for example, dog=~/Pictures/rex")
    check_line(noun)
    if len(noun) > LONGEST_NOUN:
        raise InputError(f"--subject: the noun '{noun[:LONGEST_NOUN]}...' has {len(noun)} characters; at most {LONGEST_NOUN} are taken")
    if noun.split()[0].lower() in ARTICLES:
        raise InputError(f"--subject: '{noun}' begins with an article; write the noun alone")
    return noun, Path(folder)


def check_line(text: str) -> None:
    """InputError if a noun or prompt is empty, not one line, or certainly longer than a base reads."""
    if not text.strip() or not text.strip().isprintable():
        raise InputError(f"{text!a} is not one line of words; write it again")
    if len(text.split()) > MOST_WORDS:
        raise InputError(f"'{text[:40]}...' has {len(text.split())} words; a base reads at most {MOST_WORDS}: shorten it")


def folder_names(nouns: list[str]) -> list[str]:
    """A folder's name for each noun: "tabby cat" is tabby-cat; a second dog is dog-2."""
    names: list[str] = []
    for noun in nouns:
        plain = slug(noun)
        candidates = (plain if n == 1 else f"{plain}-{n}" for n in range(1, len(nouns) + 2))
        names.append(next(name for name in candidates if name not in names))
    return names


def slug(noun: str) -> str:
    """Lower-case letters and digits of a noun with - between its words; "subject" if it has none of them."""
    plain = unicodedata.normalize("NFKD", noun).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "subject"
