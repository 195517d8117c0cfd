"""Kernels: one at work on a picture, with its numbers, and one that reads many maps."""

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from fmnist_utils.drawings import grids, numerals
from fmnist_utils.drawings.canvas import GREEN, HALO, ON_WHITE, PURPLE, SIGNED, SKY, WIDTH, Canvas, Point

_SIDE, _LOW, _LEFT, _RIGHT = 3.35, 3.25, 0.25, WIDTH - 3.6  # of a kernel at work: image and map
_TABLE, _CELL, _MIDDLE, _SUM = 0.6, (0.93, 0.55), 1.425, 11.8  # below them: the tables, and their sum
_TABLES = (("patch", _LEFT), ("kernel", 3.84), ("products", 7.43))

_MAP, _WEIGHTS, _PLUS, _COUNTS = 0.95, 3.93, (8.15, 3.6), 10.1  # of a kernel over maps: middles
_LEVELS = {1: [3.6], 2: [4.6, 2.6], 3: [5.6, 3.6, 1.6]}  # of the maps read, by their number
_MANY = [5.75, 3.95, 1.2]  # of the first two and the last


def kernel_at_work(picture: np.ndarray, kernel: np.ndarray, row: int, column: int) -> Figure:
    """One place of a convolution: patch times kernel, the nine products, their sum, its place in the map.

    In kernel, products and map, what is above 0 is blue and what is below brown.

    Args:
        picture: shape (height, width) or (height, width, 1), any number type.
        kernel: shape (3, 3), or with further axes of length 1.
        row, column: the place in the map, counted from 0; the patch begins at the same place of the picture.

    Raises:
        ValueError: if the kernel has another shape, or the map has no such place.
    """
    picture = np.asarray(picture, float).reshape(np.shape(picture)[:2])
    if np.size(kernel) != 9:
        raise ValueError(f"a kernel of 3 × 3 numbers is needed, not one of the shape {np.shape(kernel)}")
    kernel = np.asarray(kernel, float).reshape(3, 3)
    patches = np.lib.stride_tricks.sliding_window_view(picture, (3, 3))
    made = np.einsum("rcij,ij->rc", patches, kernel)
    if not (0 <= row < made.shape[0] and 0 <= column < made.shape[1]):
        raise ValueError(f"the map is {numerals.shape(made.shape)}: nothing is at row {row}, column {column}")
    least, most = picture.min(), np.abs(made).max() or 1.0
    greys = ScalarMappable(Normalize(least, picture.max() if np.ptp(picture) else least + 1.0), "gray_r")
    signs = ScalarMappable(Normalize(-most, most), SIGNED)
    canvas = Canvas(WIDTH, 7.2)
    frame = _titled(canvas, _LEFT, "image", picture, greys, (row, column, 3))
    place, end = _titled(canvas, _RIGHT, "map", made, signs, (row, column, 1))
    _draw_words(canvas, row, column)
    _draw_products(canvas, patches[row, column], kernel, greys, frame)
    _draw_sum(canvas, made[row, column], signs, ((place[0] + end[0]) / 2, place[1]))
    return canvas.figure


def _titled(
    canvas: Canvas,
    x: float,
    name: str,
    pixels: np.ndarray,
    colours: ScalarMappable,
    framed: tuple[int, int, int],
) -> tuple[Point, Point]:
    """A picture under its name and shape; what ``grids.picture`` returns."""
    title = f"{name}, {numerals.shape(pixels.shape)}"
    canvas.text(x + _SIDE / 2, _LOW + _SIDE + 0.25, title, weight="bold")
    return grids.picture(canvas, (x, _LOW), _SIDE, pixels, colours, framed)


def _draw_words(canvas: Canvas, row: int, column: int) -> None:
    """Between the two pictures: where the frames are, and what is done."""
    patch = f"rows {row} to {row + 2},\ncolumns {column} to {column + 2}\nof the image"
    canvas.text(_LEFT + _SIDE + 0.25, _LOW + _SIDE - 0.45, patch, ha="left", color=PURPLE)
    place = f"row {row},\ncolumn {column}\nof the map"
    canvas.text(_RIGHT - 0.25, _LOW + _SIDE - 0.45, place, ha="right", color=PURPLE)
    done = "number × number\nat each of the nine places,\nand the nine products added"
    canvas.text(WIDTH / 2, _LOW + 1.25, done)
    canvas.text(WIDTH / 2, _LOW + 0.3, "(rows and columns count from 0)")


def _draw_products(
    canvas: Canvas, patch: np.ndarray, kernel: np.ndarray, greys: ScalarMappable, frame: tuple[Point, Point]
) -> None:
    """Patch × kernel = products, as tables; the patch is what is in the frame, larger."""
    for (name, x), values in zip(_TABLES, (patch, kernel, patch * kernel), strict=True):
        colours = greys.to_rgba(values) if name == "patch" else None
        grids.table(canvas, (x, _TABLE), _CELL, values, colours)
        canvas.text(x + 1.5 * _CELL[0], _TABLE - 0.25, name, weight="bold")
    canvas.text(3.44, _MIDDLE, "×", 24)
    canvas.text(7.03, _MIDDLE, "=", 24)
    for (x, y), corner in zip(frame, (_LEFT, _LEFT + 3 * _CELL[0]), strict=True):
        line = [x, corner], [y, _TABLE + 3 * _CELL[1]]
        canvas.axis.plot(*line, color=PURPLE, linewidth=1.5, zorder=3, path_effects=HALO)


def _draw_sum(canvas: Canvas, total: float, signs: ScalarMappable, place: Point) -> None:
    """The products' sum, and the arrow to its place in the map."""
    canvas.arrow((7.43 + 3 * _CELL[0], _MIDDLE), (11.05, _MIDDLE))
    word, colour = numerals.alike([total])[0], signs.to_rgba(np.asarray(total))
    canvas.box((_SUM, _MIDDLE), (1.5, 0.8), word, colour, letters=20, share=1.0)
    canvas.text(_SUM, _TABLE - 0.25, "sum", weight="bold")
    canvas.arrow((_SUM, _MIDDLE + 0.4), place, color=PURPLE, zorder=3, path_effects=HALO)


def kernel_over_maps(layer: Any) -> Figure:
    """How one number of one new map comes about: a table for each map that the layer reads, all products added.

    The tables hold the weights of the layer's first new map; blue is above 0 and brown below.

    Args:
        layer: a built ``Conv2D``; its kernel has the shape (height, width, maps read, maps made).

    Raises:
        ValueError: if the layer has no such kernel.
    """
    kernel, bias = np.asarray(getattr(layer, "kernel", None)), getattr(layer, "bias", None)
    if kernel.ndim != 4:
        raise ValueError("a built Conv2D layer is needed: call it, or its model, first")
    canvas = Canvas(WIDTH, 7.2)
    _draw_maps_read(canvas, kernel)
    canvas.plus(_PLUS)
    _draw_maps_made(canvas, kernel.shape[-1])
    if bias is not None:
        canvas.box((_PLUS[0], 2.15), (1.9, 0.55), f"bias {numerals.alike(np.asarray(bias)[:1])[0]}", GREEN)
        canvas.arrow((_PLUS[0], 2.43), (_PLUS[0], _PLUS[1] - 0.42))
    _draw_counts(canvas, kernel.shape, biased=bias is not None)
    return canvas.figure


def _draw_maps_read(canvas: Canvas, kernel: np.ndarray) -> None:
    """A line for each map that is read, or for the first two and the last: the map, its table, an arrow."""
    height, width, read, _ = kernel.shape
    levels = _LEVELS.get(read, _MANY)
    table = "a table of weights for each" if read > 1 else "its table of weights"
    for x, words in ((_MAP, _counted(read, "map") + " read"), (_WEIGHTS, table)):
        canvas.text(x, levels[0] + 1.1, words, weight="bold")
    for y, i in zip(levels, range(read) if read <= 3 else (0, 1, read - 1), strict=True):
        grids.sheet(canvas, (_MAP - 0.65, y - 0.65), 1.3, SKY, (height, width))
        canvas.text(_MAP, y - 0.83, f"map {i + 1}")
        canvas.text(2.05, y, "×", 24)
        weights = kernel[:, :, i, 0].astype(float)
        grids.table(canvas, (2.5, y - 0.65), (2.85 / width, 1.3 / height), weights)
        canvas.arrow_into((5.35, y), _PLUS)
        note = _counted(height * width, "product")
        canvas.text(6.4, y + (_PLUS[1] - y) * 1.05 / 2.8, note, **ON_WHITE)
    for x in (_MAP, _WEIGHTS) if read > 3 else ():
        canvas.text(x, 2.5, "⋮", 30)


def _draw_maps_made(canvas: Canvas, made: int) -> None:
    """The new maps behind each other, at most four, and the arrow to the one number in the first."""
    for k in reversed(range(min(made, 4))):
        grids.sheet(canvas, (10.55 + 0.14 * k, 2.66 + 0.14 * k), 1.3, GREEN, None if k else (1, 1))
    canvas.arrow((_PLUS[0] + 0.42, _PLUS[1]), (10.98, _PLUS[1]), zorder=6)
    canvas.text(9.55, _PLUS[1] + 0.25, "one number")
    canvas.text(11.4, 2.42, f"new map 1 of {made:,}")


def _draw_counts(canvas: Canvas, shape: tuple[int, ...], biased: bool) -> None:
    """How many products one number of a new map takes."""
    height, width, read, _ = shape
    one = read * height * width
    products = f"{_counted(read, 'map')} × {height * width} = {_counted(one, 'product')}"
    canvas.text(_COUNTS, 6.85, "one number of one new map", weight="bold")
    canvas.text(_COUNTS, 6.45, products + ", and 1 bias" * biased)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' if number != 1 else ''}"
