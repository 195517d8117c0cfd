"""Batch normalization in its two modes."""

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist_utils import plots
from fmnist_utils.drawings.canvas import BLUE, BROWN, INK, LETTER, WIDTH, text_width, tint
from fmnist_utils.drawings.numerals import rounded


class _Mark(NamedTuple):
    """A mean with one standard deviation to both sides."""

    said: str
    mean: float
    spread: float
    colour: str


class _Row(NamedTuple):
    """A histogram of values, and the marks below it."""

    title: str
    values: np.ndarray
    colour: str
    marks: list[_Mark]


def normalization_modes(
    batch: np.ndarray, moving_mean: float, moving_variance: float, epsilon: float = 1e-3
) -> Figure:
    """What batch normalization makes of one feature map's values, in training and in inference.

    Before its scale and shift, which are 1 and 0 at the start. A dot is a mean, the bar around it reaches one
    standard deviation to both sides.

    Args:
        batch: the map's values over a batch, any shape.
        moving_mean, moving_variance: what inference uses instead of the batch's own.
        epsilon: what Keras adds to a variance, so that none is zero.

    Raises:
        ValueError: if there are no values, or a variance is below zero.
    """
    values = np.asarray(batch, float).ravel()
    if not values.size or moving_variance < 0:
        raise ValueError("some values are needed, and a moving variance that is not below zero")
    before = [
        _mark("this batch: ", values.mean(), values.std(), BLUE),
        _mark("moving: ", moving_mean, math.sqrt(moving_variance), BROWN),
    ]
    rows = [
        _Row("Before: the values of one map (spread: standard deviation)", values, INK, before),
        _normalized("In training", values, values.mean(), values.var() + epsilon, BLUE),
        _normalized("In inference", values, moving_mean, moving_variance + epsilon, BROWN),
    ]
    low, high = _reach(rows)
    figure, axes = plots.subplots(WIDTH, 7.0, nrows=3, sharex=True)
    for axis, row in zip(axes, rows, strict=True):
        _draw(axis, row, np.linspace(low, high, 61))
    words = max(text_width(mark.said) for row in rows for mark in row.marks) + 0.3  # they stand at the right
    axes[2].set_xlim(low - 0.02 * (high - low), high + (high - low) * words / (WIDTH - 0.5 - words))
    axes[2].set_xticks(range(math.ceil(low), math.floor(high) + 1, math.ceil((high - low) / 12)))
    return figure


def _normalized(name: str, values: np.ndarray, mean: float, variance: float, colour: str) -> _Row:
    """A mode's row: its title has the formula, its values are what the formula makes of the values."""
    sign, divisor = "−" if mean >= 0 else "+", math.sqrt(variance)
    title = f"{name}: (value {sign} {rounded(abs(mean), 2)}) / {rounded(divisor, 2)}"
    made = (values - mean) / divisor
    return _Row(title, made, colour, [_mark("", made.mean(), made.std(), colour)])


def _mark(name: str, mean: float, spread: float, colour: str) -> _Mark:
    said = f"{name}mean {rounded(mean, 2)}, spread {rounded(spread, 2)}"
    return _Mark(said, float(mean), float(spread), colour)


def _reach(rows: list[_Row]) -> tuple[float, float]:
    """The least and the largest of what is drawn, at least 1 apart."""
    ends = [mark.mean + side * mark.spread for row in rows for mark in row.marks for side in (-1, 1)]
    ends += [end for row in rows for end in (row.values.min(), row.values.max())]
    return min(ends), max(*ends, min(ends) + 1.0)


def _draw(axis: Axes, row: _Row, bins: np.ndarray) -> None:
    counts, *_ = axis.hist(row.values, bins=list(bins), color=tint(row.colour, 0.45))
    highest = float(np.max(counts))
    look: dict[str, Any] = {"fmt": "o", "markersize": 9, "linewidth": 3, "capsize": 5, "capthick": 2}
    words: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": LETTER}
    for k, mark in enumerate(row.marks):
        y = -0.3 * highest * (0.7 + k)
        axis.errorbar(mark.mean, y, xerr=mark.spread, color=mark.colour, **look)
        axis.text(1.0, y, mark.said, transform=axis.get_yaxis_transform(), color=mark.colour, **words)
    axis.set_title(row.title, loc="left", fontsize=LETTER + 1, weight="bold", color=row.colour)
    axis.set(yticks=[], ylim=(-0.3 * highest * (len(row.marks) + 0.3), highest * 1.05))
    axis.tick_params(labelsize=LETTER)
    axis.axvline(0, color="0.6", linewidth=1, zorder=0)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_bounds(bins[0], bins[-1])
