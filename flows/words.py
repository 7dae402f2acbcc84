"""What a stage's process says: which lines are DVC's housekeeping, and which one is its last word."""

import re

from vd_core.errors import DISK_FULL, means_full_disk

ERROR = re.compile(r"([A-Za-z_][\w.]*)?(Error|Exception|Interrupt|Exit|Killed)\b.*")
UNCHANGED = "didn't change, skipping"
KILLED = "had been killed. Auto removed it"
BUSY = "is busy, it is being blocked by"
HOUSEKEEPING = (
    "WARNING: No file hash info found",
    "To track the changes with git, run:",
    "To enable auto staging, run:",
    "git add ",
    "dvc config core.autostage",
    "Updating lock file",
    "Generating lock file",
    "Use `dvc push`",
    "> python -m tasks.",
    "Run `dvc push`",
)
ENDED = re.compile(r"ERROR: .*exited with (-9|137)")
OUTSIDE = "the system ended it, as it does when the computer's memory is full; end other programs, and run this again"
ADVICE = ("If there are no processes with such PIDs", "ERROR: failed to reproduce", "(PID ")
BOX = "│╭╰─┃ ❱"


def is_housekeeping(line: str) -> bool:
    """Whether DVC tells what concerns DVC and git alone, or gives advice on locks that would break another run."""
    return line.startswith((*HOUSEKEEPING, *ADVICE)) or BUSY in line or KILLED in line


def is_unchanged(said: list[str]) -> bool:
    """Whether DVC found the stage up to date."""
    return any(UNCHANGED in line for line in said)


def name_holder(said: list[str]) -> str | None:
    """Which process has the files that DVC found busy, in DVC's words; None if that was not why it failed."""
    if not any(BUSY in line for line in said):
        return None
    return next((line for line in said if line.startswith("(PID")), "DVC does not say which")


def last_word(said: list[str]) -> str:
    """Why a stage failed: its own `error: ...`, a full disk, a kill, the last line of its traceback, DVC's own error, or its last line."""
    own = [line for line in said if line.startswith("error: ")]
    if own:
        return own[0]
    if any(means_full_disk(line) for line in said):
        return DISK_FULL
    if any(ENDED.fullmatch(line) for line in said):
        return OUTSIDE
    errors = [line for line in said if ERROR.fullmatch(line.strip(BOX)) and not line.startswith("ERROR")]
    dvc = [line for line in said if line.startswith("ERROR")]
    return (errors[-1:] or dvc[:1] or said[-1:] or ["it printed nothing"])[0].strip(BOX)
