"""Which parts of networks are borrowed, which are new, and which are trained: a row for each network."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from fmnist_utils.drawings import parts
from fmnist_utils.drawings.canvas import (
    BLUE,
    INK,
    LETTER,
    WIDTH,
    YELLOW,
    Canvas,
    Point,
    ink_on,
    text_width,
    tint,
)
from fmnist_utils.drawings.parts import Part

_LEFT, _RIGHT, _NUMBERS = 0.3, 10.95, WIDTH - 0.3  # of the boxes, and where the numbers end
_NARROW, _BETWEEN, _TALL = 0.35, 0.04, 0.66  # of the boxes
_ROW, _LEGEND, _HEAD = 1.37, 0.95, 0.1  # heights
_MOST = 5  # rows on a screen
_STATES = {  # colour, its share, and whether it is hatched
    "borrowed, frozen": (BLUE, 0.12, True),
    "borrowed, trained further": (BLUE, 1.0, False),
    "new, frozen": (YELLOW, 0.2, True),
    "new, trained": (YELLOW, 0.75, False),
}


def trained_parts(models: Mapping[str, Any]) -> Figure:
    """The parts of networks, from left to right: borrowed from ImageNet or new, frozen or trained.

    What is frozen is hatched and has a broken border. At the right end stands how many parameters are trained.
    A part is a layer with weights, its batch normalization included, or a block of MobileNetV2, a narrow box.

    Args:
        models: one to five built Keras models, by the names of their set-ups; models in them may be nested.
            What is trained is read from ``trainable``, what is borrowed from the kernels' initializers.

    Raises:
        ValueError: if there are none or more, if one is not built, or has too many parts for a screen.
    """
    if not 1 <= len(models) <= _MOST:
        raise ValueError(f"one to {_MOST} models can be drawn, not {len(models)}")
    rows = {name: parts.read(model) for name, model in models.items()}
    canvas = Canvas(WIDTH, _HEAD + _ROW * len(rows) + _LEGEND)
    canvas.text(_NUMBERS, canvas.height - _HEAD - 0.15, "parameters trained", ha="right", weight="bold")
    for k, (name, found) in enumerate(rows.items()):
        top = canvas.height - _HEAD - k * _ROW
        canvas.text(_LEFT, top - 0.15, name, ha="left", weight="bold")
        _draw_row(canvas, found, top - 0.68)
        number = f"{parts.trained(models[name]):,}"
        canvas.text(_NUMBERS, top - 0.68, number, LETTER + 3, ha="right")
    states = {part.state for found in rows.values() for part in found}
    _draw_legend(canvas, [state for state in _STATES if state in states])
    return canvas.figure


def _draw_row(canvas: Canvas, found: list[Part], y: float) -> None:
    """A network's boxes, joined by a line; blocks have numbers, and under them stands how many there are."""
    widths = [_NARROW if part.block else _wide(part) for part in found]
    if _LEFT + sum(widths) + _BETWEEN * len(widths) > _RIGHT:
        raise ValueError(f"{len(found)} parts are too many for a screen")
    x, numbers = _LEFT, []
    for part, wide in zip(found, widths, strict=True):
        numbers += [x + wide / 2] if part.block else []
        _draw_part(canvas, (x, y - _TALL / 2), (wide, _TALL), part.state)
        _draw_words(canvas, (x + wide / 2, y), str(len(numbers)) if part.block else part.words, part.state)
        x += wide + _BETWEEN
    canvas.axis.plot([_LEFT + 0.1, x - 0.2], [y, y], color=INK, linewidth=1.8, zorder=1)
    if numbers:
        words = "1 block" if len(numbers) == 1 else f"{len(numbers)} blocks"
        canvas.text((numbers[0] + numbers[-1]) / 2, y - _TALL / 2 - 0.18, words)


def _wide(part: Part) -> float:
    return max(map(text_width, part.words.split("\n"))) + 0.2


def _draw_part(canvas: Canvas, corner: Point, size: Point, state: str) -> None:
    """A box that looks as its state: the hatching, if any, and over it the border."""
    colour, share, frozen = _STATES[state]
    hatching = {"hatch": "///", "edgecolor": tint(colour, 0.45), "linewidth": 0} if frozen else {}
    canvas.rectangle(corner, size, tint(colour, share), **hatching)
    canvas.rectangle(corner, size, "none", linewidth=1.5, linestyle="--" if frozen else "-")


def _draw_words(canvas: Canvas, place: Point, words: str, state: str) -> None:
    colour, share, _ = _STATES[state]
    face = tint(colour, share)
    canvas.text(*place, words, color=ink_on(face), path_effects=[withStroke(linewidth=4, foreground=face)])


def _draw_legend(canvas: Canvas, states: list[str]) -> None:
    """What each look means, and what the words mean."""
    x = _LEFT
    for state in states:
        _draw_part(canvas, (x, 0.55), (0.6, 0.32), state)
        canvas.text(x + 0.72, 0.71, state, ha="left")
        x += text_width(state) + 1.25
    borrowed = "borrowed: begins as training on ImageNet left it" if "borrowed" in str(states) else ""
    frozen = "frozen: training does not change it" if "frozen" in str(states) else ""
    words = ";  ".join(filter(None, (borrowed, frozen)))
    if words:
        canvas.text(_LEFT, 0.22, words, ha="left")
