"""`make quality`: what the embedded base's clips do, tracked by the judges."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.unet import unroll
from vd_core.metrics.clip_scores import temporal_consistency
from vd_core.toybox.quality.measured import GUIDANCE, SEED, STEPS, Subjects, choose_toys, figure, to_unit_array
from vd_core.toybox.reading.action_binding import action_binding
from vd_core.toybox.reading.tracking import track_motion
from vd_core.toybox.world.draw import CLIP_FRAMES, draw_clip, in_motion
from vd_core.toybox.world.scenes import BACKGROUNDS, MOTIONS, join_names, sample_scene


@torch.no_grad()
def measure_motion(s: Subjects, count: int = 120) -> Iterator[tuple[str, dict]]:
    """AnimateDiff on the base, in bfloat16: is the motion named the motion tracked? And how much less consistent are its clips than drawn ones?"""
    motions = [m for m in MOTIONS if m != "still"]
    net = unroll(build_animatediff(s.base, s.base.motion_adapter).unet)
    hits, generated, true, judged = [], [], [], []
    for i in range(count):
        motion = motions[i % len(motions)]
        scene = in_motion(sample_scene(SEED + 50_000 + i, count=1, collages=False), motion)
        toy = scene.toys[0]
        prompt = f"a {toy.colour} {toy.kind} {MOTIONS[motion]} {BACKGROUNDS[scene.background]}"
        with torch.autocast("cpu", torch.bfloat16):
            frames = generate_animatediff(
                s.base, net, embed_prompts(s.base, [prompt]), [SEED + i], CLIP_FRAMES, STEPS, GUIDANCE, fast=False
            )[0]
        clip = (frames.float() + 1) / 2
        hits.append(track_motion(s.judges, s.reader, clip) == motion)
        generated.append(temporal_consistency(s.judges, clip))
        drawn_clip = to_unit_array(draw_clip(scene))
        judged.append(track_motion(s.judges, s.reader, drawn_clip) == motion)
        true.append(temporal_consistency(s.judges, drawn_clip))
    yield "judge_motion", figure(judged)
    yield "draws_motion", figure(hits)
    yield "consistency_gap", figure(np.array(true) - np.array(generated))


@torch.no_grad()
def measure_own_motion(s: Subjects, count: int = 60) -> Iterator[tuple[str, dict]]:
    """Clips of two toys that are told to do different things: the share of toys that do theirs, in the base's clips and in drawn ones."""
    rng, own, drawn_ones = np.random.default_rng(SEED + 30), [], []
    net = unroll(build_animatediff(s.base, s.base.motion_adapter).unet)
    for i in range(count):
        toys, motions = choose_toys(rng, 2), [str(m) for m in rng.choice([m for m in MOTIONS if m != "still"], 2, replace=False)]
        said = join_names([f"a {c} {k} {MOTIONS[m]}" for (c, k), m in zip(toys, motions, strict=True)])
        scene = sample_scene(SEED + 60_000 + i, count=2, collages=False)
        told = {k: m for (_, k), m in zip(toys, motions, strict=True)}
        drawn_toys = [replace(t, kind=k, colour=c, motion=told[k]) for t, (c, k) in zip(scene.toys, toys, strict=True)]
        with torch.autocast("cpu", torch.bfloat16):
            embeds = embed_prompts(s.base, [f"{said} {BACKGROUNDS[scene.background]}"])
            frames = generate_animatediff(s.base, net, embeds, [SEED + i], CLIP_FRAMES, STEPS, GUIDANCE, fast=False)[0]
        own.append(action_binding(s.judges, s.reader, (frames.float() + 1) / 2, told))
        true = to_unit_array(draw_clip(replace(scene, toys=tuple(drawn_toys))))
        drawn_ones.append(action_binding(s.judges, s.reader, true, told))
    yield "judge_own_motion", figure(drawn_ones)
    yield "draws_own_motion", figure(own)
