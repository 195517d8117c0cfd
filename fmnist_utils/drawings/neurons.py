"""A neuron: a weighted sum with its numbers."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fmnist_utils.drawings import numerals
from fmnist_utils.drawings.canvas import BLUE, BROWN, GREEN, LETTER, ON_WHITE, SKY, WIDTH, YELLOW, Canvas

_MOST_INPUTS = 6
_INPUT, _WEIGHT, _TERM, _PLUS, _TOTAL = 2.6, 4.6, 6.55, 9.3, 11.6  # where each column's middle is


def neuron(
    inputs: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray,
    bias: float,
    names: Sequence[str] | None = None,
) -> Figure:
    """A weighted sum with its numbers: each input times its weight, the products and the bias added.

    An arrow is the wider, the further its weight is from 0; it is blue above 0 and brown below.

    Args:
        inputs, weights: shape (n,), n from 1 to 6.
        bias: what is added to the products.
        names: what the inputs are called; ``input 1`` and so on if nothing is given.

    Raises:
        ValueError: if there are none, more, or not as many weights as inputs.
    """
    inputs, weights = np.asarray(inputs, float), np.asarray(weights, float)
    if inputs.shape != weights.shape or inputs.ndim != 1 or not 1 <= len(inputs) <= _MOST_INPUTS:
        raise ValueError(f"one to six inputs and as many weights: not {inputs.shape} and {weights.shape}")
    names = [f"input {i + 1}" for i in range(len(inputs))] if names is None else list(names)
    products, lines = inputs * weights, len(inputs) + 1
    step = min(1.15, 5.3 / lines)
    canvas = Canvas(WIDTH, step * lines + 1.45)
    rows = [0.85 + step * (lines - 0.5 - i) for i in range(lines)]
    for x, title in ((_INPUT, "inputs"), (_WEIGHT, "weights"), (_TERM, "products")):
        canvas.text(x, rows[0] + step / 2 + 0.3, title, weight="bold")
    _draw_inputs(canvas, rows, inputs, weights, names)
    terms = [*numerals.alike(products), *numerals.alike([bias])]
    total = numerals.alike([products.sum() + bias])[0]
    _draw_sum(canvas, rows, terms, total)
    canvas.text(WIDTH / 2, 0.4, _equation(terms, total), LETTER + 2)
    return canvas.figure


def _draw_inputs(
    canvas: Canvas, rows: list[float], inputs: np.ndarray, weights: np.ndarray, names: list[str]
) -> None:
    """A line for each input: its name, its number, and an arrow with its weight."""
    high = 0.42 * (rows[0] - rows[1])
    largest = np.abs(weights).max() or 1
    words = zip(names, numerals.alike(inputs), numerals.alike(weights), strict=True)
    for y, weight, (name, given, factor) in zip(rows, weights, words, strict=False):
        colour = BLUE if weight >= 0 else BROWN
        canvas.text(_INPUT - 0.65, y, name, ha="right")
        canvas.disc((_INPUT, y), (0.5, high), given, SKY)
        width = 1.5 + 3.0 * abs(weight) / largest
        canvas.arrow((_INPUT + 0.5, y), (5.82, y), color=colour, linewidth=width)
        canvas.text(_WEIGHT, y, f"× {factor}", color=colour, weight="bold", **ON_WHITE)


def _draw_sum(canvas: Canvas, rows: list[float], terms: list[str], total: str) -> None:
    """The products and the bias, all of which lead to a plus, and what it makes of them."""
    middle = sum(rows) / len(rows)
    canvas.text(_TERM - 0.85, rows[-1], "bias", ha="right")
    for y, term in zip(rows, terms, strict=True):
        canvas.box((_TERM, y), (1.35, 0.55), term, GREEN if y == rows[-1] else YELLOW)
        canvas.arrow_into((_TERM + 0.68, y), (_PLUS, middle))
    canvas.plus((_PLUS, middle))
    canvas.arrow((_PLUS + 0.42, middle), (10.83, middle))
    canvas.box((_TOTAL, middle), (1.45, 0.8), total, YELLOW, letters=20)
    canvas.text(_TOTAL, middle + 0.65, "sum", weight="bold")


def _equation(terms: list[str], total: str) -> str:
    """The sum in a line, with ``≈`` where its numbers are rounded so that they do not add up."""
    exact = math.isclose(sum(map(numerals.read, terms)), numerals.read(total), abs_tol=1e-9)
    written = " + ".join([terms[0], *(f"({term})" if "−" in term else term for term in terms[1:])])
    return f"{written} {'=' if exact else '≈'} {total}"
