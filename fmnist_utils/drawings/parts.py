"""What of a network is borrowed and what is trained: its parts, read from the model."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

_IN_BLOCK = re.compile(r"(.+)_(?:expand|depthwise|project)")  # as MobileNetV2's layers are called in Keras
_BORROWED = "ImageNet"  # the initializer of ``pretrained``


@dataclass
class Part:
    """A layer with weights, or a block of MobileNetV2.

    borrowed: all kernels began with ImageNet's weights; trained: at least one kernel is.
    """

    words: str
    borrowed: bool
    trained: bool
    block: bool

    @property
    def state(self) -> str:
        if self.borrowed:
            return "borrowed, trained further" if self.trained else "borrowed, frozen"
        return "new, trained" if self.trained else "new, frozen"


def read(model: Any) -> list[Part]:
    """A model's parts from left to right, also those of models in it.

    Batch normalization is of the part whose convolution it follows.

    Raises:
        ValueError: if no layer has weights: there are none before a model is built.
    """
    own = [layer for layer in _flat(model) if layer.weights and "Normalization" not in type(layer).__name__]
    if not own:
        raise ValueError(f"{model.name} has no weights: begin it with an Input, or call it on some images")
    found = [_part(list(layers)) for _, layers in itertools.groupby(own, _place)]
    last = own[-1]
    if type(last).__name__ == "Dense":
        found[-1].words = f"{last.units:,}\nclasses"
    return found


def trained(model: Any) -> int:
    """How many of a model's parameters a training changes; moving means and variances are not counted."""
    return sum(int(np.prod(tuple(weight.shape))) for weight in model.trainable_weights)


def _flat(model: Any) -> list[Any]:
    """A model's layers in order, each model among them replaced by its own, which Keras gives backwards."""
    parts = (_flat(layer) if hasattr(layer, "layers") else [layer] for layer in model.layers)
    return list(itertools.chain.from_iterable(parts))


def _place(layer: Any) -> str:
    """What is alike for all layers of a block."""
    block = _IN_BLOCK.fullmatch(layer.name)
    return block[1] if block else f"{layer.name} {id(layer)}"


def _part(layers: list[Any]) -> Part:
    return Part(
        words=_words(layers[0]),
        borrowed=all(map(_is_borrowed, layers)),
        trained=any(layer.trainable_weights for layer in layers),
        block=_IN_BLOCK.fullmatch(layers[0].name) is not None,
    )


def _is_borrowed(layer: Any) -> bool:
    kinds = (getattr(layer, f"{part}_initializer", None) for part in ("kernel", "depthwise"))
    return any(type(kind).__name__ == _BORROWED for kind in kinds)


def _words(layer: Any) -> str:
    """A layer's kind, and how many maps or numbers it makes."""
    kind = type(layer).__name__
    if kind == "Dense":
        return f"dense\n{layer.units:,}"
    return f"convolution\n{layer.filters:,} maps" if kind == "Conv2D" else kind
