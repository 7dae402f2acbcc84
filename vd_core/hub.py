"""Where models' files lie, in a folder or in the hub's cache, and whether the rest can be fetched. Nothing is fetched here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from huggingface_hub import HfApi, is_offline_mode, try_to_load_from_cache
from huggingface_hub.errors import DisabledRepoError, GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

SECONDS = 2.0
Reply = dict[str, int] | str
"""What a host has, by file name in bytes; or why it has nothing."""


@dataclass(frozen=True)
class Wanted:
    """A model's files in a folder, in a hub's repository `path`, or behind a `url`; of each group of `files` one is enough. `sha256`: of its one file."""

    name: str
    path: str
    revision: str | None
    files: tuple[tuple[str, ...], ...]
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Located:
    """Where a model's files are, their `size` in bytes if it is known, and what is wrong if they are missing."""

    wanted: Wanted
    state: Literal["here", "to fetch", "missing"]
    size: int | None
    reason: str


def locate(wanted: list[Wanted]) -> list[Located]:
    """Where each model's files are. Hosts are asked only about files that are not here, all at once, and have SECONDS to answer."""
    absent = [w for w in wanted if not is_whole(w)]
    places = {place_of(w): w for w in absent if can_be_asked(w)}
    replies = dict(zip(places, ask_together([ask(w) for w in places.values()]), strict=True))
    return [judge(w, replies) if w in absent else Located(w, "here", size_here(w), "") for w in wanted]


def is_whole(wanted: Wanted) -> bool:
    """Whether all that is needed of a model is here; a single file is the whole of it."""
    return Path(wanted.path).is_file() or all(find_group(wanted, group) for group in wanted.files)


def find_group(wanted: Wanted, group: tuple[str, ...]) -> list[Path]:
    """The files of the first alternative that is whole, with the shards that an index names; none if no alternative is."""
    for name in group:
        first = find_file(wanted, name)
        if first is None:
            continue
        shards = set(json.loads(first.read_text())["weight_map"].values()) if name.endswith(".index.json") else ()
        files = [first, *(find_file(wanted, str(Path(name).with_name(shard))) for shard in sorted(shards))]
        if None not in files:
            return [f for f in files if f]
    return []


def find_file(wanted: Wanted, name: str) -> Path | None:
    """One file of a model, in its folder or in the hub's cache."""
    if wanted.url or Path(wanted.path).is_dir():
        path = Path(wanted.path) / name
        return path if path.is_file() else None
    try:
        cached = try_to_load_from_cache(wanted.path, name, revision=wanted.revision)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def unpinned_commit(wanted: Wanted) -> str | None:
    """The commit that the hub's cache holds of a model without a pinned revision or content; None if it is pinned, in a folder or not here."""
    if wanted.revision or wanted.sha256 or wanted.url or Path(wanted.path).exists() or not is_whole(wanted):
        return None
    parts = find_group(wanted, wanted.files[0])[0].parts  # <cache>/models--<repository>/snapshots/<commit>/<file>
    return parts[parts.index("snapshots") + 1]


def explain_other_file(path: str, file: Path) -> str:
    """Why a file is not taken whose content is not the pinned one."""
    return f"{path}: {file.name} is not the file that the preset pins; delete {file} to fetch it again, or correct the preset's sha256"


def size_here(wanted: Wanted) -> int:
    """The bytes of a model that is here."""
    files = [Path(wanted.path)] if Path(wanted.path).is_file() else [f for group in wanted.files for f in find_group(wanted, group)]
    return sum(f.stat().st_size for f in files)


def place_of(wanted: Wanted) -> tuple[str, str | None]:
    """What a host is asked about."""
    return wanted.url or wanted.path, wanted.revision


def can_be_asked(wanted: Wanted) -> bool:
    """Whether a host could have what is missing."""
    return bool(wanted.url) or not (is_local(wanted.path) or is_offline_mode())


def is_local(path: str) -> bool:
    """Whether a path is a folder's or a file's: one that is there, or one that no repository of a hub is written like."""
    return Path(path).exists() or path.startswith(("/", "~", ".")) or path.endswith(".safetensors") or path.count("/") != 1


def ask(wanted: Wanted) -> Callable[[], Reply]:
    """The question to a model's host."""
    if wanted.url:
        return lambda: ask_url(str(wanted.url), wanted.files[0][0])
    return lambda: ask_hub(wanted.path, wanted.revision)


def refusal(path: str, revision: str | None, kinds: list[type[BaseException]]) -> str | None:
    """What to say after a model's name if the hub refuses it with errors of these kinds; None if it is another failure."""
    if GatedRepoError in kinds:
        return f"is gated: accept its terms at https://huggingface.co/{path} and log in with 'hf auth login'"
    if RevisionNotFoundError in kinds:
        return f"has no revision {revision}; correct the revision"
    if {RepositoryNotFoundError, DisabledRepoError, HFValidationError} & set(kinds):
        return "is not on the hub (moved, removed or private); name another repository, or a folder"
    return None


def ask_hub(path: str, revision: str | None) -> Reply:
    """The files of a hub's repository."""
    try:
        info = HfApi().model_info(path, revision=revision, files_metadata=True, timeout=SECONDS)
    except Exception as error:  # whatever the network's library raises means the same to a person
        refused = refusal(path, revision, [type(error)])
        return f"it {refused}" if refused else f"the hub does not answer ({type(error).__name__}); check the network"
    return {file.rfilename: file.size or 0 for file in info.siblings or ()}


def ask_url(url: str, name: str) -> Reply:
    """The one file behind an address."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=SECONDS) as reply:
            return {name: int(reply.headers.get("Content-Length", 0))}
    except (OSError, ValueError) as error:
        return f"{urlsplit(url).hostname} does not answer ({type(error).__name__}); check the network"


def ask_together(questions: list[Callable[[], Reply]]) -> list[Reply]:
    """The replies of hosts; a host that takes longer than a second more than SECONDS, in the name's look-up too, has not answered."""
    replies: list[Reply] = [f"no answer within {SECONDS:.0f} s; check the network"] * len(questions)

    def answer(i: int) -> None:
        replies[i] = questions[i]()

    threads = [Thread(target=answer, args=(i,), daemon=True) for i in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 1)
    return list(replies)


def judge(wanted: Wanted, replies: dict[tuple[str, str | None], Reply]) -> Located:
    """What becomes of a model that is not whole here."""
    absent = [group for group in wanted.files if not find_group(wanted, group)]
    if not wanted.url and is_local(wanted.path) and not Path(wanted.path).exists():
        return Located(wanted, "missing", None, f"{wanted.path} does not exist; correct the path")
    if not can_be_asked(wanted):
        if Path(wanted.path).is_dir():
            return Located(wanted, "missing", None, f"{wanted.path} has no {absent[0][0]}; put it there")
        reason = f"{wanted.path} is not wholly in the hub's cache, and HF_HUB_OFFLINE is set; fetch it first or unset that"
        return Located(wanted, "missing", None, reason)
    reply = replies[place_of(wanted)]
    if isinstance(reply, str):
        return Located(wanted, "missing", None, f"{wanted.path} is not wholly here, and {reply}")
    sizes = [next((reply[name] for name in group if name in reply), None) for group in absent]
    if None in sizes:
        return Located(wanted, "missing", None, f"{wanted.path} has no {absent[sizes.index(None)][0]} on the hub; correct the preset")
    return Located(wanted, "to fetch", sum(size or 0 for size in sizes), "")
