"""A residual block: some layers, and the way round them."""

from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.drawings import layers, numerals
from fmnist_utils.drawings.blocks import solid
from fmnist_utils.drawings.canvas import BROWN, GREY, LETTER, SKY, WIDTH, Canvas, text_width
from fmnist_utils.drawings.layers import Step

_MAPS, _FORK, _FIRST = 0.85, 1.75, 2.05  # what comes in, where the way round leaves, where the layers begin
_LAYERS, _SHAPES, _WAY = 1.95, 1.1, 3.15  # heights
_SIZE = (0.85, 0.85, 0.3)  # of the blocks at both ends
_HALF = (_SIZE[0] + 0.8 * _SIZE[2]) / 2


def residual_block(model: Any) -> Figure:
    """The first addition of a model and what leads to it: the layers in a row, and the way round them.

    Args:
        model: built, with an ``Add`` of what comes into some layers and what they make of it.

    Raises:
        ValueError: if the model has no such block, or is not one that ``plots.network`` can draw.
    """
    steps = layers.steps(model)
    last = next((i for i, step in enumerate(steps) if step.kind == "plus"), None)
    if last is None:
        raise ValueError("the model has no Add layer, hence no residual block")
    source = steps[last].source
    inside = steps[source + 1 : last]
    widths = [max(map(text_width, _label(step).split("\n"))) + 0.24 for step in inside]
    gap = max(0.25, (WIDTH - _FIRST - sum(widths) - 2.2) / (len(inside) + 1))
    plus = _FIRST + sum(widths) + gap * len(inside) + 0.3
    after = plus + 0.3 + gap + 0.75
    canvas = Canvas(after + 0.85, 4.05)
    _draw_maps(canvas, _MAPS, steps[source])
    _draw_layers(canvas, inside, widths, gap)
    canvas.plus((plus, _LAYERS), 0.3, 24)
    canvas.arrow((plus + 0.3, _LAYERS), (after - _HALF, _LAYERS))
    _draw_maps(canvas, after, steps[last])
    _draw_way_round(canvas, plus, numerals.shape(steps[source].shape))
    return canvas.figure


def _label(step: Step) -> str:
    return "\n".join(step.lines).replace("BatchNormal", "Batch\nNormal")


def _draw_maps(canvas: Canvas, x: float, step: Step) -> None:
    """What comes in or out, and its shape."""
    solid(canvas, (x, _LAYERS), replace(step, colour=SKY, size=_SIZE))
    canvas.text(x, _SHAPES, numerals.shape(step.shape))


def _draw_layers(canvas: Canvas, inside: list[Step], widths: list[float], gap: float) -> None:
    """The layers as boxes, and the arrows from what comes in through all of them to the plus."""
    start, x = _MAPS + _HALF, _FIRST
    for step, wide in zip(inside, widths, strict=True):
        canvas.arrow((start, _LAYERS), (x, _LAYERS))
        colour = step.colour if step.lines[0] != "ReLU" else GREY
        canvas.box((x + wide / 2, _LAYERS), (wide, 0.95), _label(step), colour)
        if step.kind == "block":
            canvas.text(x + wide / 2, _SHAPES, numerals.shape(step.shape))
        start, x = x + wide, x + wide + gap
    canvas.arrow((start, _LAYERS), (x, _LAYERS))


def _draw_way_round(canvas: Canvas, plus: float, shape: str) -> None:
    canvas.dot(_FORK, _LAYERS, 8)
    canvas.way_round((_FORK, _LAYERS), (plus, _LAYERS + 0.3), _WAY)
    middle = (_FORK + plus) / 2
    words = f"the way round: {shape}, unchanged"
    canvas.text(middle, _WAY + 0.27, words, color=BROWN, weight="bold")
    words = "what comes out = what came in + what the layers make of it"
    canvas.text(middle, 0.45, words, LETTER + 1)
