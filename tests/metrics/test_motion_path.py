"""The correlation of a thing's way with a path."""

import numpy as np

from vd_core.metrics.motion_path import path_correlation
from vd_core.toybox.world.paths import path_of

CIRCLE, ZIGZAG = path_of("circle"), path_of("zigzag")


def test_size_and_place_do_not_count_and_the_way_does() -> None:
    assert path_correlation(32 + 64 * CIRCLE, CIRCLE) > 0.999
    assert path_correlation(5 * CIRCLE, ZIGZAG) < 0.5
    assert path_correlation(-CIRCLE, CIRCLE) < -0.999
    assert path_correlation(np.roll(CIRCLE, 4, 0), CIRCLE) < 0.1  # a quarter of the circle late


def test_what_stands_still_or_is_hardly_found_has_no_path() -> None:
    assert path_correlation(np.full((16, 2), 7.0), CIRCLE) == 0.0
    middles = 64 * CIRCLE
    middles[3:11] = np.nan
    assert path_correlation(middles, CIRCLE) > 0.8  # eight frames of sixteen are enough
    middles[11] = np.nan
    assert path_correlation(middles, CIRCLE) == 0.0
