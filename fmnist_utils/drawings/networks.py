"""Shapes through a network, from the image that comes in to the classes."""

import re
from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.drawings import layers, layout, numerals
from fmnist_utils.drawings.blocks import gate, solid
from fmnist_utils.drawings.canvas import INK, LETTER, LINE, Canvas, Point, text_width
from fmnist_utils.drawings.layers import Step
from fmnist_utils.drawings.layout import Stop

_HEAD = 0.65  # inches above the first row
_BETWEEN = 0.44  # and between rows


def network(model: Any) -> Figure:
    """The shapes through a network as blocks: see ``plots.network``."""
    steps = layers.steps(model)
    rows = layout.rows(layout.stops(steps))
    marks = list({step.lines[0]: step for step in steps if step.kind == "mark"}.values())
    width = max(7.0 if len(rows) == 1 else 12.0, *map(layout.place, rows), _legend_width(marks))
    height = sum(layout.levels(row).end + _BETWEEN for row in rows) - _BETWEEN
    canvas = Canvas(width, _HEAD + height + (0.62 if marks else 0.1))
    canvas.text(width / 2, canvas.height - 0.28, _title(model), LETTER + 2)
    top, came = canvas.height - _HEAD, None
    for row in rows:
        layout.centre(row, width)
        came = _draw_row(canvas, row, top, came, ends=row is rows[-1])
        top -= layout.levels(row).end + _BETWEEN
    if marks:
        _draw_legend(canvas, marks)
    return canvas.figure


def _title(model: Any) -> str:
    parameters = f"{sum(layer.count_params() for layer in model.layers):,} parameters"
    automatic = re.fullmatch(r"(sequential|functional)(_\d+)?", model.name)
    return parameters if automatic else f"{model.name}: {parameters}"


def _draw_row(canvas: Canvas, row: list[Stop], top: float, came: Point | None, ends: bool) -> Point:
    """Draw a row of blocks; ``came`` is the end of the last block above, the result that of this row's last."""
    labels, ways, middle, shapes, _ = (top - level for level in layout.levels(row))
    if came is not None:
        _draw_from_above(canvas, came, (row[0].left, middle), top + 0.55 * _BETWEEN)
    forks: list[float] = []
    for stop, following in zip(row, [*row[1:], None], strict=True):
        solid(canvas, (stop.x, middle), stop.block)
        _draw_words(canvas, stop, labels, shapes)
        end = (following.left if following else stop.right + stop.arrow, middle)
        if following or (ends and stop.marks):
            canvas.arrow((stop.right, middle), end)
        _draw_marks(canvas, stop, end, forks, ways)
    return row[-1].right, middle


def _draw_words(canvas: Canvas, stop: Stop, labels: float, shapes: float) -> None:
    """A block's lines above it, the last at the height ``labels``, and its shape below."""
    lines = stop.block.lines
    for k, line in enumerate(lines):
        weight = "bold" if stop.block.named and k == 0 else "normal"
        canvas.text(stop.x, labels + LINE * (len(lines) - k - 0.5), line, weight=weight)
    canvas.text(stop.x, shapes, numerals.shape(stop.block.shape))


def _draw_marks(canvas: Canvas, stop: Stop, end: Point, forks: list[float], ways: float) -> None:
    """What lies on the arrow after a block; ``forks`` are the places from which ways round have left."""
    free = end[0] - stop.right - 0.16 - sum(layout.ROOM[mark.kind] for mark in stop.marks)
    x, y = stop.right, end[1]
    for mark in stop.marks:
        half = layout.ROOM[mark.kind] / 2
        x += free / (len(stop.marks) + 1) + half
        if mark.kind == "mark":
            gate(canvas, (x, y), mark)
        elif mark.kind == "fork":
            canvas.dot(x, y, 6)
            forks.append(x)
        else:
            canvas.way_round((forks.pop(), y), (x, y + 0.17), ways)
            canvas.plus((x, y), 0.17, 18)
        x += half


def _draw_from_above(canvas: Canvas, start: Point, end: Point, between: float) -> None:
    """The line from the end of a row round to the beginning of the next."""
    left, right = 0.08, canvas.width - 0.08
    x = [start[0], right, right, left, left, end[0] - 0.1]
    y = [start[1], start[1], between, between, end[1], end[1]]
    canvas.axis.plot(x, y, color=INK, linewidth=1.8, zorder=1, solid_joinstyle="round")
    canvas.arrow((end[0] - 0.02, end[1]), end)


def _draw_legend(canvas: Canvas, marks: list[Step]) -> None:
    """What each kind of bar means, in a line at the bottom."""
    x = (canvas.width - _legend_width(marks)) / 2 + 0.2
    canvas.text(x, 0.3, _explained(marks), ha="left")
    x += text_width(_explained(marks)) + 0.3
    for mark in marks:
        gate(canvas, (x, 0.3), mark, 0.4)
        canvas.text(x + 0.17, 0.3, mark.lines[0], ha="left")
        x += text_width(mark.lines[0]) + 0.6


def _legend_width(marks: list[Step]) -> float:
    return text_width(_explained(marks)) + sum(text_width(mark.lines[0]) + 0.6 for mark in marks) + 0.4


def _explained(marks: list[Step]) -> str:
    return "layers that keep the shape:" if len(marks) > 1 else "layer that keeps the shape:"
