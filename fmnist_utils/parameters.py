"""The notebooks' parameters: which values make sense, checked before anything is trained."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NETWORKS = ("dense", "two_conv", "three_conv", "control", "batchnorm")  # builders of models that take a dropout
TRAINING_IMAGES = 55_000  # what is left of the 60,000 after the validation split


class ParameterError(ValueError):
    """A parameter has an unknown name or a value that makes no sense."""


@dataclass(frozen=True)
class Number:
    """An ``int`` or ``float`` with ``low <= value <= high``; ``small`` makes a lesson short, for tests."""

    kind: type
    low: float
    high: float
    small: int | None = None

    def accepts(self, value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = self.kind is float or isinstance(value, int)
        return number and whole and self.low <= value <= self.high

    def __str__(self) -> str:
        noun = "a whole number" if self.kind is int else "a number"
        return f"{noun} from {self.low:,} to {self.high:,}"


@dataclass(frozen=True)
class Choice:
    """A text parameter with a few known values."""

    values: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.values)


@dataclass(frozen=True)
class Text:
    """A parameter that may be any text."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return "a text"


_SEED = Number(int, 0, 2**31 - 1)
_EPOCHS = Number(int, 1, 1_000, small=1)
_BATCH_SIZE = Number(int, 1, TRAINING_IMAGES)

RULES: dict[str, Number | Choice | Text] = {
    "SEED": _SEED,
    "SPLIT_SEED": _SEED,
    "SEEDS": Number(int, 1, 100, small=1),
    "EPOCHS": _EPOCHS,
    "BLOG_EPOCHS": _EPOCHS,
    "SHORT_EPOCHS": _EPOCHS,
    "SMALL_EPOCHS": _EPOCHS,
    "SCRATCH_EPOCHS": _EPOCHS,
    "BATCH_SIZE": _BATCH_SIZE,
    "BLOG_BATCH_SIZE": _BATCH_SIZE,
    "TRAP_BATCH_SIZE": _BATCH_SIZE,
    "TRAIN_SIZE": Number(int, 20, TRAINING_IMAGES, small=1_000),
    "SHORT_SIZE": Number(int, 20, TRAINING_IMAGES, small=200),
    "SENDERS": Number(int, 50, 400, small=80),
    "LABELLED": Number(int, 100, TRAINING_IMAGES, small=100),
    "FEW": Number(int, 20, TRAINING_IMAGES, small=20),
    "LEARNING_RATE": Number(float, 1e-7, 1.0),
    "HIDDEN": Number(int, 1, 1_000),
    "DROPOUT": Number(float, 0.0, 0.95),
    "ROTATION": Number(float, 0.0, 180.0),
    "SHIFT": Number(float, 0.0, 0.9),
    "ZOOM": Number(float, 0.0, 0.9),
    "WHITE": Number(int, 1, 255),
    "NEIGHBOURS": Number(int, 1, 100),
    "SEARCHED": Number(int, 100, 60_000, small=2_000),
    "EMBEDDED": Number(int, 100, 10_000, small=200),
    "CORRUPTED": Number(int, 100, 10_000, small=200),
    "COVERAGE": Number(float, 0.5, 0.999),
    "PREDICTED": Number(int, 100, 10_000, small=500),
    "TRIALS": Number(int, 0, 10_000, small=1),
    "STUDY_EPOCHS": _EPOCHS,
    "STUDY": Text(),
    "MODEL": Choice(("all", "two_conv", "three_conv", "blog")),
    "NETWORK": Choice(NETWORKS),
    "OPTIMIZER": Choice(("adam", "adamw", "adam_onecycle", "sgd", "sgd_onecycle", "muon")),
    "PRECISION": Choice(("auto", "bfloat16", "float32")),
}


def literal(text: str) -> Any:
    """The value that a text stands for: a Python literal that a notebook can be given, or else the text itself.

    Raises:
        ParameterError: the text cannot be written into a notebook.
    """
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two for what is nested too deep
        value = text
    value = value if can_be_given(value) else text
    if not can_be_given(value):
        raise ParameterError(f"{text!r} is no text in UTF-8.")
    return value


def can_be_given(value: Any) -> bool:
    """Whether papermill hands a notebook this very value; of others, such as bytes, it makes a text."""
    if isinstance(value, str):
        return value.isascii() or value == value.encode(errors="ignore").decode()
    if isinstance(value, list | dict):
        names = list(value) if isinstance(value, dict) else []
        inner = list(value.values()) if isinstance(value, dict) else value
        return all(isinstance(name, str) for name in names) and all(map(can_be_given, [*names, *inner]))
    return value is None or isinstance(value, bool | int | float)


def check(parameters: Mapping[str, Any]) -> None:
    """Refuse values, as in a notebook's ``globals()``, that make no sense; names without a rule are left alone.

    Raises:
        ParameterError: names each bad parameter, its value and what it may be.
    """
    bad = [
        f"{name} = {parameters[name]!r}, but it must be {rule}"
        for name, rule in RULES.items()
        if name in parameters and not rule.accepts(parameters[name])
    ]
    if bad:
        raise ParameterError("; ".join(bad) + ". Change the parameters cell, or the value given to papermill.")
