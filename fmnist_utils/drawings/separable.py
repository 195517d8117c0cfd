"""A depthwise convolution and the 1 × 1 convolution after it, with their weights."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from fmnist_utils.drawings import grids, numerals
from fmnist_utils.drawings.canvas import BLUE, BROWN, LETTER, ON_WHITE, PURPLE, SIGNED, WIDTH, Canvas, Point

_ROWS, _NEW = (5.35, 3.65, 1.95), (4.75, 2.55)  # heights of the three maps and of the two new ones
_SIDE, _BIG, _CELL = 1.45, 1.7, (0.93, 0.42)  # of a map, a new map, a cell of a table
_MAP, _TABLE, _OWN, _PLUS, _MADE = 0.95, 3.6, 6.35, 9.55, 11.6  # middles


def depthwise(maps: np.ndarray, kernels: np.ndarray, mixing: np.ndarray) -> Figure:
    """Three maps, each with a kernel of its own, and the 1 × 1 convolution that mixes what they make to two.

    Of weights and of maps that were made, what is above 0 is blue and what is below brown. Frames show one
    place of all maps. At the bottom stands how many weights that takes, and how many an ordinary convolution.

    Args:
        maps: shape (height, width, 3), any number type; nothing is added at their borders.
        kernels: shape (3, 3, 3): the last axis is the map that a kernel reads.
        mixing: shape (3, 2): the weight with which each map goes into each new one.

    Raises:
        ValueError: if an array has another shape, or the maps are smaller than the kernels.
    """
    maps, kernels, mixing = (np.asarray(values, float) for values in (maps, kernels, mixing))
    if maps.ndim != 3 or maps.shape[2] != 3 or min(maps.shape[:2]) < 3:
        raise ValueError(f"three maps of at least 3 × 3 are needed, not the shape {maps.shape}")
    if kernels.shape != (3, 3, 3) or mixing.shape != (3, 2):
        raise ValueError(f"expected the shapes (3, 3, 3) and (3, 2), not {kernels.shape} and {mixing.shape}")
    patches = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(0, 1))
    own = np.einsum("rcmij,ijm->rcm", patches, kernels)
    canvas = Canvas(WIDTH, 7.2)
    row, column = divmod(int(np.abs(own).sum(-1).argmax()), own.shape[1])  # where the maps have most to show
    _draw_maps(canvas, maps, kernels, own, (row, column))
    _draw_mixing(canvas, mixing, own @ mixing, (row, column))
    _draw_counts(canvas, kernels.shape, mixing.shape)
    return canvas.figure


def _signs(values: np.ndarray) -> ScalarMappable:
    most = np.abs(values).max() or 1.0
    return ScalarMappable(Normalize(-most, most), SIGNED)


def _draw_maps(
    canvas: Canvas, maps: np.ndarray, kernels: np.ndarray, own: np.ndarray, place: tuple[int, int]
) -> None:
    """A row for each map: the map, its kernel, the map that this kernel makes."""
    least = maps.min()
    greys = ScalarMappable(Normalize(least, maps.max() if np.ptp(maps) else least + 1.0), "gray_r")
    signs = _signs(own)
    for x, words in ((_MAP, "three maps"), (_TABLE, "a kernel for each"), (_OWN, "a map from each")):
        canvas.text(x, 6.95, words, weight="bold")
    canvas.text(_MAP, 6.45, numerals.shape(maps.shape))
    canvas.text(_TABLE, 6.45, "depthwise convolution")
    canvas.text(_OWN, 6.45, numerals.shape(own.shape))
    for i, y in enumerate(_ROWS):
        _draw_map(canvas, (_MAP, y), _SIDE, maps[..., i], greys, (*place, 3))
        canvas.arrow((_MAP + _SIDE / 2, y), (_TABLE - 1.5 * _CELL[0], y))
        corner = (_TABLE - 1.5 * _CELL[0], y - 1.5 * _CELL[1])
        grids.table(canvas, corner, _CELL, kernels[..., i])
        canvas.arrow((_TABLE + 1.5 * _CELL[0], y), (_OWN - _SIDE / 2, y))
        _draw_map(canvas, (_OWN, y), _SIDE, own[..., i], signs, (*place, 1))


def _draw_map(
    canvas: Canvas,
    middle: Point,
    side: float,
    values: np.ndarray,
    colours: ScalarMappable,
    framed: tuple[int, int, int],
) -> None:
    """A map, shape (rows, columns), around a point; ``framed`` as in ``grids.picture``."""
    corner = (middle[0] - side / 2, middle[1] - side / 2)
    grids.picture(canvas, corner, side, values, colours, framed)


def _draw_mixing(canvas: Canvas, mixing: np.ndarray, made: np.ndarray, place: tuple[int, int]) -> None:
    """Six arrows with their weights, the two sums to which they lead, and the new maps."""
    canvas.text(_PLUS - 0.2, 6.45, "1 × 1 convolution")
    canvas.text(_PLUS + 0.95, 6.95, "a mixture for each new map", weight="bold")
    canvas.text(_MADE, 6.45, numerals.shape(made.shape))
    start = _OWN + _SIDE / 2
    words = np.reshape(numerals.alike(mixing.ravel()), mixing.shape)
    for (i, j), word in np.ndenumerate(words):
        low, high = _ROWS[i], _NEW[j]
        colour = BLUE if mixing[i, j] >= 0 else BROWN
        canvas.arrow_into((start, low), (_PLUS, high), 0.32)
        at = (start + 0.26 * (_PLUS - start), low + 0.26 * (high - low))
        canvas.text(*at, f"× {word}", color=colour, weight="bold", **ON_WHITE)
    signs = _signs(made)
    for j, y in enumerate(_NEW):
        canvas.plus((_PLUS, y), 0.32, 24)
        canvas.arrow((_PLUS + 0.32, y), (_MADE - _BIG / 2, y))
        _draw_map(canvas, (_MADE, y), _BIG, made[..., j], signs, (*place, 1))


def _draw_counts(canvas: Canvas, kernels: tuple[int, ...], mixing: tuple[int, ...]) -> None:
    """How many weights an ordinary convolution takes from as many maps to as many, and how many this one."""
    (height, width, read), made = kernels, mixing[1]
    ordinary = f"{height} × {width} × {read} × {made} = {height * width * read * made}"
    own, mixed = height * width * read, read * made
    here = f"{read} × {height * width} + {read} × {made} = {own + mixed}"
    lines = (("here:", f"{here} weights"), ("an ordinary convolution:", f"{ordinary} weights"))
    for y, (name, words) in zip((0.3, 0.7), lines, strict=True):
        canvas.text(5.6, y, name, LETTER + 1, ha="right", weight="bold")
        canvas.text(5.8, y, words, LETTER + 1, ha="left")
    canvas.text(_MADE - 0.55, 0.5, "frames: the same place\nin all maps", color=PURPLE)
