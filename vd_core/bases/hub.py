"""What to say when weights cannot be found, fetched or read, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
from safetensors import SafetensorError

from vd_core.errors import InputError
from vd_core.hub import is_local, refusal
from vd_core.settings import Part

NO_FILE = ("no file named", "does not appear to have a file", "does not contain", "pytorch_model.bin")


def where(part: Part) -> str:
    """A part's folder or file with `~` expanded, or its name on the hub."""
    return str(Path(part.path).expanduser())


@contextmanager
def loading(what: str, part: Part) -> Iterator[None]:
    """What the libraries raise while they load `part` becomes one InputError that calls it `what`."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(explain_loading(what, part, error)) from error


def explain_loading(what: str, part: Part, error: Exception) -> str:
    """One line: which part failed, why, and what to do."""
    name, kinds = f"{what} '{part.path}'", [type(e) for e in causes(error)]
    if is_local(where(part)):
        missing = not Path(where(part)).exists()
        return f"{name} does not exist; correct the path" if missing else f"{name} cannot be read ({first_line(error)}); save it again"
    if refused := refusal(part.path, part.revision, kinds):
        return f"{name} {refused}"
    if OfflineModeIsEnabled in kinds or (LocalEntryNotFoundError in kinds and constants.HF_HUB_OFFLINE):
        return f"{name} is not in {constants.HF_HUB_CACHE} and HF_HUB_OFFLINE is set; unset it once to fetch the files, or give a folder"
    if LocalEntryNotFoundError in kinds or isinstance(error, ConnectionError | TimeoutError):
        return f"{name} is not in {constants.HF_HUB_CACHE} and the hub cannot be reached; check the network, or give a folder"
    if any(words in str(error) for words in NO_FILE):
        return f"{name} lacks a file ({first_line(error)}); pickles are not read: name a repository or revision with safetensors"
    return f"{name} cannot be loaded ({first_line(error)}); check the network, or give a folder"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
