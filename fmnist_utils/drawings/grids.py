"""What has rows and columns: a table of numbers, a picture of pixels, a map whose numbers are not shown."""

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable

from fmnist_utils.drawings import numerals
from fmnist_utils.drawings.canvas import HALO, INK, LINE, PURPLE, SIGNED, Canvas, Point, ink_on, tint


def table(
    canvas: Canvas, corner: Point, cell: Point, values: np.ndarray, colours: np.ndarray | None = None
) -> None:
    """A table of numbers, which are written where the cells are large enough.

    Args:
        canvas: where it is drawn.
        corner: its lower left corner.
        cell: width and height of a cell.
        values: shape (rows, columns).
        colours: of the cells, shape (rows, columns, 4); if none are given, blue above 0 and brown below.
    """
    words = np.reshape(numerals.alike(values.ravel()), values.shape)
    edge = INK if colours is None else "0.55"  # which is seen beside black too
    if colours is None:
        colours = SIGNED(0.5 + 0.3 * values / (np.abs(values).max() or 1.0))
    for i, j in np.ndindex(*values.shape):
        x, y = corner[0] + j * cell[0], corner[1] + (len(values) - 1 - i) * cell[1]
        face = tuple(colours[i, j])
        canvas.rectangle((x, y), cell, face, edgecolor=edge)
        if cell[0] >= 0.9 and cell[1] > LINE:
            canvas.text(x + cell[0] / 2, y + cell[1] / 2, str(words[i, j]), color=ink_on(face))


def picture(
    canvas: Canvas,
    corner: Point,
    side: float,
    pixels: np.ndarray,
    colours: ScalarMappable,
    framed: tuple[int, int, int],
) -> tuple[Point, Point]:
    """A picture, shape (rows, columns), with a frame at (row, column, pixels wide).

    Returns:
        The lower corners of the frame, left and right.
    """
    (x, y), (row, column, size), (low, high) = corner, framed, colours.get_clim()
    axis, view = canvas.axis, canvas.axis.axis()  # which imshow changes
    place = (x, x + side, y, y + side)
    axis.imshow(pixels, colours.cmap, vmin=low, vmax=high, extent=place, zorder=2)
    axis.axis(view)
    tall, wide = side / pixels.shape[0], side / pixels.shape[1]
    left, lower = x + column * wide, y + side - (row + size) * tall
    look: dict[str, Any] = {"edgecolor": PURPLE, "linewidth": 3, "path_effects": HALO}
    canvas.rectangle((left, lower), (size * wide, size * tall), "none", zorder=4, **look)
    canvas.rectangle(corner, (side, side), "none", zorder=4, linewidth=1)
    return (left, lower), (left + size * wide, lower)


def sheet(canvas: Canvas, corner: Point, side: float, colour: str, framed: tuple[int, int] | None) -> None:
    """A map without its numbers, and a frame around so many of its rows and columns."""
    canvas.rectangle(corner, (side, side), tint(colour, 0.3), linewidth=1.5, zorder=2)
    if framed:
        pixel = side / 9
        x, y = corner[0] + 3 * pixel, corner[1] + side - (2 + framed[0]) * pixel
        for i, j in np.ndindex(*framed):
            at = (x + j * pixel, y + i * pixel)
            canvas.rectangle(at, (pixel, pixel), "white", edgecolor=PURPLE, linewidth=1)
