"""The palette can be told apart by who sees no red or no green, and on white: by measure."""

import itertools

import numpy as np
import pytest
from colorspacious import cspace_convert
from matplotlib.colors import to_rgb

from fmnist_utils import plots

SIGHTS = {
    "all colours": "sRGB1",
    "no green": {"name": "sRGB1+CVD", "cvd_type": "deuteranomaly", "severity": 100},
    "no red": {"name": "sRGB1+CVD", "cvd_type": "protanomaly", "severity": 100},
}
COLOURS = np.array([to_rgb(colour) for colour in plots.COLOURS])


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_colours_are_far_apart(sight):
    """In CAM02-UCS, where the smallest difference that can be seen is about 1; seaborn's palette has 6."""
    seen = cspace_convert(COLOURS, SIGHTS[sight], "CAM02-UCS")
    pairs = itertools.combinations(seen, 2)
    assert min(np.linalg.norm(one - other) for one, other in pairs) > 19


@pytest.mark.parametrize("sight", SIGHTS)
def test_right_and_wrong_are_far_apart(sight):
    right, wrong = (
        cspace_convert(to_rgb(colour), SIGHTS[sight], "CAM02-UCS") for colour in (plots.RIGHT, plots.WRONG)
    )
    assert np.linalg.norm(right - wrong) > 30


def test_every_colour_can_be_seen_on_white():
    """By WCAG's ratio of luminances, which is 1 for white on white."""
    linear = np.where(COLOURS <= 0.04045, COLOURS / 12.92, ((COLOURS + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05)).min() >= 1.95


def test_each_colour_has_a_marker_of_its_own():
    assert len(set(plots.COLOURS)) == len(set(plots.MARKERS)) == len(plots.COLOURS) == 10
