"""What a whole benchmark costs, on paper: from seconds that were measured on one device."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Seconds:
    """Seconds on one device: a finetuning, a clip by each generator, the figures of a clip; with the loading of the models."""

    finetuning: float
    text2video_zero: float
    animatediff: float
    score: float


@dataclass(frozen=True)
class Size:
    """How much is computed: clips of one method by one generator, methods, combinations, finetuning seeds, and whether each generator has its own base."""

    videos: int
    methods: int
    combinations: int
    training_seeds: int
    bases: int


@dataclass(frozen=True)
class Cost:
    """On `devices`: hours from start to end, and the hours that all devices together are held."""

    devices: int
    hours: float
    device_hours: float


FULL = Size(videos=1800, methods=4, combinations=15, training_seeds=1, bases=2)
"""MultiStudioBench as the paper has it: two generators, each on a base of its own (SD 2.1 and SD 1.5)."""


def cost_of(size: Size, seconds: Seconds, devices: int, chunk: int) -> Cost:
    """The cost of a whole benchmark on `devices` that are alike, the units handed out as they come, `chunk` clips a unit.

    W = F t_f + V (t_a + t_b + 2 t_s), with F = methods x combinations x seeds x bases finetunings and V = methods x videos clips of each
    generator. hours = (max(W / D, ceil(F / D) t_f) + tail) / 3600: D devices share the work, no finetuning is shared, and tail, the last
    unit that the others wait for, is chunk (max(t_a, t_b) + t_s) with more than one device and 0 with one. Idle devices are paid for.
    """
    finetunings = size.methods * size.combinations * size.training_seeds * size.bases
    clips = size.methods * size.videos
    clip = seconds.text2video_zero + seconds.animatediff + 2 * seconds.score
    work = finetunings * seconds.finetuning + clips * clip
    longest = -(-finetunings // devices) * seconds.finetuning
    tail = chunk * (max(seconds.text2video_zero, seconds.animatediff) + seconds.score) if devices > 1 else 0.0
    hours = (max(work / devices, longest) + tail) / 3600
    return Cost(devices, hours, hours * devices)
