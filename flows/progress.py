"""How far a stage is: read from its progress bar, shown as a progress artifact and, every few percent, as a line of the log."""

import re
import sys
import time
from dataclasses import dataclass
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

SAY_PERCENT = 5.0
SAY_SECONDS = 10.0
PERCENT = re.compile(r"(\d{1,3})%\|")
DONE = re.compile(r"\| *(\d+)/(\d+) \[[^<\]]*<([\d:]+)")
LOSS = re.compile(r"loss=([^,\]]+)")
VALIDATED = re.compile(r"validation after \d+ steps")


def describe_bar(line: str) -> str:
    """What a progress bar says, in words: "50 of 200, loss 0.1234, 00:30 left"; nothing before its first step."""
    done, loss = DONE.search(line), LOSS.search(line)
    if not done:
        return ""
    return f"{done[1]} of {done[2]}, " + (f"loss {loss[1]}, " if loss else "") + f"{done[3]} left"


@dataclass
class Bar:
    """A progress artifact of the task that runs, made when there is the first progress to show: a cached stage leaves none."""

    key: str
    description: str
    artifact: UUID | None = None
    said_percent: float = 0.0
    said_at: float = float("-inf")

    def show(self, line: str) -> None:
        """Show how far the task is by its bar's newest line."""
        percent, said = float(PERCENT.findall(line)[-1]), describe_bar(line)
        description = f"{self.description}: {said}" if said else self.description
        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, key=self.key, description=description)
        else:
            update_progress_artifact(self.artifact, percent, description=description)
        if said and percent - self.said_percent >= SAY_PERCENT and time.monotonic() - self.said_at >= SAY_SECONDS:
            self.said_percent, self.said_at = percent, time.monotonic()
            get_run_logger().info(description)
        show_on_terminal(line)

    def finish(self) -> None:
        """Show that the task is done, if it showed anything."""
        if self.artifact is not None:
            update_progress_artifact(self.artifact, 100.0, description=self.description)


def show_on_terminal(line: str) -> None:
    """A bar's newest line, in place, if a person is watching the terminal."""
    if sys.stderr.isatty():
        end = "\n" if "100%|" in line else ""
        print(f"\r{line[:100]:<100}", end=end, file=sys.stderr, flush=True)
