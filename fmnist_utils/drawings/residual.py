"""A residual block: some layers, and the way round them."""

from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure

from fmnist_utils.drawings import layers, numerals
from fmnist_utils.drawings.blocks import solid
from fmnist_utils.drawings.canvas import BROWN, GREY, LETTER, SKY, WIDTH, Canvas, text_width
from fmnist_utils.drawings.layers import Step

_MAPS, _FORK, _FIRST = 0.85, 1.75, 2.05  # what comes in, where the way round leaves, where the layers begin
_LAYERS, _SHAPES, _WAY = 1.95, 1.1, 3.15  # heights
_NEAR = 0.25  # the shortest arrow between two boxes
_SIZE = (0.85, 0.85, 0.3)  # of the blocks at both ends
_HALF = (_SIZE[0] + 0.8 * _SIZE[2]) / 2


@dataclass
class _Box:
    """One or more layers as they are drawn, the words above them and the shape below."""

    words: str
    colour: str
    shape: str = ""
    above: str = ""
    tall: float = 0.95

    @property
    def wide(self) -> float:
        return max(map(text_width, self.words.split("\n"))) + 0.24


def residual_block(model: Any, add: str = "") -> Figure:
    """An addition of a model and what leads to it: the layers in a row, and the way round them.

    A box is a layer. Where they would not fit on a screen, as MobileNetV2's, a box is a convolution with the
    normalization and the activation after it, and above it stands what becomes of the number of maps.

    Args:
        model: built, with an ``Add`` of what comes into some layers and what they make of it.
        add: the name of that layer, such as ``block_2_add``; the model's first if none is given.

    Raises:
        ValueError: if the model has no such block, or is not one that ``plots.network`` can draw.
    """
    steps = layers.steps(model)
    last = _plus(model, steps, add)
    source = steps[last].source
    boxes = [_box(step) for step in steps[source + 1 : last]]
    if _gap(boxes) < 0.8 * _NEAR:  # a picture slightly wider than the screen does no harm
        boxes = _by_convolution(steps[source:last])
    gap = max(_NEAR, _gap(boxes))
    plus = _FIRST + sum(box.wide for box in boxes) + gap * len(boxes) + 0.3
    after = plus + 0.3 + gap + 0.75
    canvas = Canvas(after + 0.85, 4.05)
    _draw_maps(canvas, _MAPS, steps[source])
    _draw_layers(canvas, boxes, gap)
    canvas.plus((plus, _LAYERS), 0.3, 24)
    canvas.arrow((plus + 0.3, _LAYERS), (after - _HALF, _LAYERS))
    _draw_maps(canvas, after, steps[last])
    _draw_way_round(canvas, plus, numerals.shape(steps[source].shape))
    return canvas.figure


def _plus(model: Any, steps: list[Step], add: str) -> int:
    """Which step is the addition of that name."""
    names = [layer.name for layer in model.layers if type(layer).__name__ == "Add"]
    if not names:
        raise ValueError("the model has no Add layer, hence no residual block")
    if add and add not in names:
        raise ValueError(f"the model has no Add layer {add}; it has {', '.join(names)}")
    return [i for i, step in enumerate(steps) if step.kind == "plus"][names.index(add or names[0])]


def _gap(boxes: list[_Box]) -> float:
    """How long the arrows between the boxes are where they fill a screen."""
    return (WIDTH - _FIRST - sum(box.wide for box in boxes) - 2.2) / (len(boxes) + 1)


def _box(step: Step) -> _Box:
    """A layer in a box of its own."""
    label = "\n".join(step.lines).replace("BatchNormal", "Batch\nNormal")
    colour = GREY if step.lines[0].startswith("ReLU") else step.colour
    return _Box(label, colour, numerals.shape(step.shape) if step.kind == "block" else "")


def _by_convolution(steps: list[Step]) -> list[_Box]:
    """A box for each block, into which the marks after it go; the first step is what comes in."""
    found: list[_Box] = []
    for before, step in zip(steps, steps[1:], strict=False):
        if step.kind == "mark" and found:
            found[-1].words += "\n" + step.lines[0].replace("BatchNormal", "normal")
        else:
            box = replace(_box(step), words="\n".join(_in_words(step)), tall=1.2)
            found.append(replace(box, above=_change(step, before.shape[-1])))
    return found


def _in_words(step: Step) -> list[str]:
    """A layer's lines without its own name; ``Conv2D`` and the size of its kernel become one."""
    lines = step.lines[step.named :]
    if "Conv2D" not in lines:
        return lines
    place = lines.index("Conv2D")
    kind = [line.lower() for line in lines[:place]]
    return [*kind, f"{lines[place + 1]} convolution", *lines[place + 2 :]]


def _change(step: Step, read: int) -> str:
    """What a layer does to the number of maps."""
    made = step.shape[-1]
    if "Depthwise" in step.lines:
        return "each map by itself"
    return "" if made == read else f"{'widens' if made > read else 'narrows'} to {made:,} maps"


def _draw_maps(canvas: Canvas, x: float, step: Step) -> None:
    """What comes in or out, and its shape."""
    solid(canvas, (x, _LAYERS), replace(step, colour=SKY, size=_SIZE))
    canvas.text(x, _SHAPES, numerals.shape(step.shape))


def _draw_layers(canvas: Canvas, boxes: list[_Box], gap: float) -> None:
    """The boxes, and the arrows from what comes in through all of them to the plus."""
    start, x = _MAPS + _HALF, _FIRST
    for box in boxes:
        canvas.arrow((start, _LAYERS), (x, _LAYERS))
        middle = x + box.wide / 2
        canvas.box((middle, _LAYERS), (box.wide, box.tall), box.words, box.colour)
        for y, words in ((_SHAPES, box.shape), (_LAYERS + box.tall / 2 + 0.25, box.above)):
            if words:
                canvas.text(middle, y, words)
        start, x = x + box.wide, x + box.wide + gap
    canvas.arrow((start, _LAYERS), (x, _LAYERS))


def _draw_way_round(canvas: Canvas, plus: float, shape: str) -> None:
    canvas.dot(_FORK, _LAYERS, 8)
    canvas.way_round((_FORK, _LAYERS), (plus, _LAYERS + 0.3), _WAY)
    middle = (_FORK + plus) / 2
    words = f"the way round: {shape}, unchanged"
    canvas.text(middle, _WAY + 0.27, words, color=BROWN, weight="bold")
    words = "what comes out = what came in + what the layers make of it"
    canvas.text(middle, 0.45, words, LETTER + 1)
