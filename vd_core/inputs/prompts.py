"""The prompts of the method: P_c, P_N, P'_c (see Symbols in docs/method.md)."""

from vd_core.errors import InputError
from vd_core.inputs.subjects import Subject, Tokenizer

STITCH_PROMPT = "a picture is divided into several regions"
"""P_N."""


def knows_words(tokenizer: Tokenizer, text: str) -> bool:
    """Whether every word of `text` is one token; the letters of a word that is split may mean nothing to a base."""
    return len(tokenizer.tokenize(text)) == len(text.split())


def mixed_prompt(subjects: list[Subject]) -> str:
    """P_c: "a sks dog, a krk cat"; from three on "..., and a slk toy"."""
    return enumerate_names([s.instance_prompt for s in subjects])


def enumerate_names(names: list[str]) -> str:
    """ "a, b"; from three on "a, b, and c"."""
    return ", ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + ", and " + names[-1]


def repeated_prompt(name: str, count: int) -> str:
    """A region's prompt for a base that composes a picture by the number of its nouns: "a sks dog, a sks dog"."""
    return enumerate_names([name] * count)


def extended_prompt(subjects: list[Subject]) -> str:
    """P'_c = [P_N, P_c]."""
    return f"{STITCH_PROMPT}, {mixed_prompt(subjects)}"


def placed_prompt(names: list[str], tokenizer: Tokenizer) -> str:
    """SVDiff's prompt of a cut-mix picture, from left to right: "a V1 dog on the left and a V2 sculpture on the right".

    Published for two. Three and more are ours: "..., a slk toy in the middle and ..."; no place is said there by a base that does not know the word.
    """
    if len(names) == 1:
        return names[0]
    middle = " in the middle" if knows_words(tokenizer, "in the middle") else ""
    return ", ".join([f"{names[0]} on the left", *(n + middle for n in names[1:-1])]) + f" and {names[-1]} on the right"


def scene_prompt(subjects: list[Subject], scene: str) -> str:
    """P_c and what happens: "a sks dog, a krk cat are surfing in the ocean"."""
    return f"{mixed_prompt(subjects)} {scene}".strip()


def plain_prompt(prompt: str, subjects: list[Subject]) -> str:
    """`prompt` without its placeholder tokens, as CLIP-T wants it."""
    tokens = {s.placeholder_token for s in subjects}
    return " ".join(word for word in prompt.split() if word not in tokens)


def check_prompts(prompts: dict[str, str], tokenizer: Tokenizer) -> None:
    """InputError if a base would read only the beginning of a prompt; `prompts` are named by the keys that they come from."""
    room = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    for key, prompt in prompts.items():
        length = len(tokenizer.tokenize(prompt))
        if length > room:
            cut = cut_words(prompt, tokenizer, room)
            raise InputError(
                f"{key}: '{prompt}' is {length} tokens long and this base reads {room}; shorten it, or '{cut}' would be cut off"
            )


def spelled_words(prompts: list[str], tokenizer: Tokenizer) -> list[str]:
    """The words of three letters and more that a tokenizer reads in pieces of less than two letters: nobody has taught them to the base."""
    words = dict.fromkeys(word for prompt in prompts for word in prompt.split() if word.isalpha() and len(word) > 2)
    return [word for word in words if 2 * len(tokenizer.tokenize(word)) > len(word)]


def cut_words(prompt: str, tokenizer: Tokenizer, room: int) -> str:
    """The last words of a prompt, of which `room` tokens hold all words before."""
    words = prompt.split()
    kept = max(n for n in range(len(words) + 1) if len(tokenizer.tokenize(" ".join(words[:n]))) <= room)
    return " ".join(words[kept:])


def training_prompts(name: str, subjects: list[Subject], method: str, tokenizer: Tokenizer) -> dict[str, str]:
    """The longest prompt that each method learns from."""
    placed = placed_prompt([s.instance_prompt for s in subjects], tokenizer)
    longest = {"svdiff": placed, "dreambooth": subjects[0].instance_prompt, "custom_diffusion": subjects[0].instance_prompt}
    return {f"combinations.{name}.subjects": longest.get(method, extended_prompt(subjects))}
