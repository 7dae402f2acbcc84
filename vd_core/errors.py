"""The errors that a person is meant to read."""

import errno
import os

DISK_FULL = "the disk is full; make room, and run this again: finished stages stand"
NO_MEMORY = ("out of memory", "_ALLOC_FAILED", "can't allocate memory", "Unable to allocate")
"""PyTorch's, CUDA's libraries', and numpy's."""
NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


class InputError(ValueError):
    """Something that a person gave cannot be used. The message is one line: it names the file or key and says what to do."""


def means_full_disk(said: str) -> bool:
    """Whether any library's words mean that the disk, or the person's part of it, is full."""
    return any(words in said for words in NO_SPACE)


def means_full_memory(said: str) -> bool:
    """Whether any library's words mean that a device's memory is full."""
    return any(words in said for words in NO_MEMORY)
