"""What is drawn of a network: its layers as steps, read from the model."""

import re
from dataclasses import dataclass, field
from typing import Any

from fmnist_utils.drawings import numerals
from fmnist_utils.drawings.canvas import BLACK, BLUE, BROWN, GREEN, GREY, PURPLE, SKY, YELLOW, text_width

_BLOCKS = {"Conv2D": BLUE, "DepthwiseConv2D": PURPLE, "Dense": YELLOW}
_MARKS = {"BatchNormalization": GREEN, "ReLU": BLACK, "Dropout": PURPLE}
_ACTIVATIONS = {"relu": "ReLU", "linear": ""}


@dataclass
class Step:
    """A layer as it is drawn: a block, a mark on the arrow (it keeps the shape), a plus, or its fork."""

    kind: str
    shape: tuple[int, ...]
    lines: list[str] = field(default_factory=list)
    colour: str = GREY
    source: int = -1  # of a plus: the step from which the way round leaves
    named: bool = False  # whether the first line is the layer's own name
    size: tuple[float, float, float] = (1.15, 1.15, 0.3)  # of a block: width and height of its front, its depth

    @property
    def wide(self) -> float:
        return self.size[0] + 0.8 * self.size[2]

    @property
    def tall(self) -> float:
        return self.size[1] + 0.6 * self.size[2]

    @property
    def text(self) -> float:
        """The width of what stands above and below a block."""
        name = text_width(self.lines[0], "bold") if self.named else 0.0
        plain = [*self.lines[self.named :], numerals.shape(self.shape)]
        return max(name, *map(text_width, plain))


def steps(model: Any) -> list[Step]:
    """What is drawn, in the order of the layers; the image comes first.

    Raises:
        ValueError: if the model is not built, or not a chain of layers with ways round some of them.
    """
    if not getattr(model, "inputs", None):
        raise ValueError("the network has no shapes yet: begin it with an Input, or call it on some images")
    shape = tuple(model.inputs[0].shape[1:])
    found = [Step("block", shape, ["image" if len(shape) > 1 else "input"])]
    made = {id(model.inputs[0]): 0}
    for layer in model.layers:
        kind, last = type(layer).__name__, len(found) - 1
        if kind == "InputLayer":
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        sources = [made.get(id(tensor), last) for tensor in inputs]  # unknown: of a layer used again
        if max(sources) != last or len(sources) > (2 if kind == "Add" else 1):
            raise ValueError(f"{layer.name} is not on a chain of layers: only an Add may join a way round")
        if kind != "Identity":  # which does nothing
            found.append(_step(layer, found[-1].shape, min(sources)))
        made[id(layer.output)] = len(found) - 1
    return found


def _step(layer: Any, before: tuple[int, ...], source: int) -> Step:
    kind, shape = type(layer).__name__, tuple(layer.output.shape[1:])
    if kind == "Add":
        return Step("plus", shape, ["+"], source=source)
    if shape == before and not hasattr(layer, "kernel"):
        rate = f" {layer.rate:g}" if hasattr(layer, "rate") else ""
        limit = f"{layer.max_value:g}" if getattr(layer, "max_value", None) else ""  # ReLU6 gives 6 at most
        return Step("mark", shape, [kind + limit + rate], _MARKS.get(kind, BROWN))
    automatic = re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()
    name = [] if re.fullmatch(rf"{automatic}(_\d+)?", layer.name) else [layer.name]
    colour = _BLOCKS.get(kind, SKY if "Pooling" in kind else GREY)
    return Step("block", shape, name + _words(layer, kind), colour, named=bool(name))


def _words(layer: Any, kind: str) -> list[str]:
    """Lines for a layer's kind, the size of its kernel or window, and its activation."""
    kinds = [kind] if len(kind) < 10 else re.findall(r"[A-Z][a-z]+(?:\dD)?", kind) or [kind]
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    details = [numerals.shape(size) if size else "", _ACTIVATIONS.get(activation, activation)]
    return [*kinds, *filter(None, details)]
