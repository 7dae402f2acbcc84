"""The processor cores that this process may use."""

import os


def usable_cores() -> list[int]:
    """Their numbers; where the system does not say (a Mac), those of all that there are."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
