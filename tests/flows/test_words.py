"""What the flow says of a stage's lines: which one is the cause, and which are DVC's housekeeping."""

import pytest

from flows.words import OUTSIDE, is_housekeeping, last_word, name_holder
from vd_core.errors import DISK_FULL

BUSY = [
    "ERROR: failed to reproduce 'mix@toys': 'runs/toys/mix' is busy, it is being blocked by:",
    "(PID 12): dvc repro",
    "If there are no processes with such PIDs, you can manually remove '.dvc/tmp/rwlock' and try again.",
]
DVC_ERROR = "ERROR: failed to reproduce 'render@toys': failed to run: python -m tasks.render toys, exited with 1"
TRACEBACK = ["Traceback (most recent call last):", 'File "a.py", line 1, in <module>', "RuntimeError: size 48 is more than 32", DVC_ERROR]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (["working", "error: data/toys/dog is missing", DVC_ERROR], "error: data/toys/dog is missing"),
        (TRACEBACK, "RuntimeError: size 48 is more than 32"),
        (["torch.OutOfMemoryError: CUDA out of memory. Tried", DVC_ERROR], "torch.OutOfMemoryError: CUDA out of memory. Tried"),
        (["OSError: [Errno 28] No space left on device: 'runs/a'", DVC_ERROR], DISK_FULL),
        (["rendering", "Killed", DVC_ERROR.replace("with 1", "with 137")], OUTSIDE),
        (["rendering", DVC_ERROR.replace("with 1", "with -9")], OUTSIDE),
        ([DVC_ERROR, ""], DVC_ERROR),
        ([], "it printed nothing"),
    ],
)
def test_the_cause_and_not_the_exit_code(said: list[str], word: str) -> None:
    """The flow said "exited with 1" of whatever was not the user's error."""
    assert last_word(said) == word


def test_who_has_the_files_that_a_stage_needs() -> None:
    assert name_holder(BUSY) == "(PID 12): dvc repro"
    assert name_holder(["ERROR: broke"]) is None


def test_housekeeping_is_told_from_what_a_stage_says() -> None:
    """DVC's advice to remove its lock stood in the run's log a thousand times an hour."""
    assert all(is_housekeeping(line) for line in BUSY)
    assert is_housekeeping("WARNING: No file hash info found for 'runs/toys/swap'. It won't be created.")
    assert is_housekeeping("git add dvc.lock")
    assert not any(
        is_housekeeping(line) for line in ("finetuning: going on from step 3", "Stage 'a' didn't change, skipping", *TRACEBACK[:-1])
    )
