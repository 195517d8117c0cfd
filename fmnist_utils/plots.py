"""Figures from plain arrays: each function returns its Figure; ``show`` displays and keeps it.

Sizes are for a projector, colours from seaborn's palette for colour-blind readers. Wrong and right are
told apart by a mark as well as by colour.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from fmnist_utils import runs
from fmnist_utils.data import CLASS_NAMES
from fmnist_utils.support import environment, files

# Whatever a matplotlibrc or MPLBACKEND says: they may have been read before this package was imported.
plt.style.use("default")
if environment.in_kernel():
    get_ipython().run_line_magic("matplotlib", "inline")
else:
    matplotlib.use("agg")

COLOURS = tuple(sns.color_palette("colorblind"))
MARKERS = "osD^vPX*<>"  # one for each colour, for readers who cannot tell the colours apart
RIGHT, WRONG = COLOURS[0], COLOURS[3]
DPI = 110
STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def show(figure: Figure, description: str, save_as: str | None = None, dpi: int = DPI) -> None:
    """Display a figure with its description for those who cannot see it; keep it if it has a name.

    Args:
        figure: what the functions of this module return; it is closed.
        description: what the picture shows; it becomes the image's alternative text.
        save_as: the name, without ``.png``, under which the run keeps the figure.
        dpi: pixels an inch of what is displayed; what is kept always has the full ``DPI``.
    """
    if save_as:
        _keep(figure, runs.figure_path(save_as))
    png = _png(figure, dpi)
    plt.close(figure)
    image = base64.b64encode(png).decode()
    display({"image/png": image, "text/plain": description}, raw=True, metadata={"alt": description})


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG and close it."""
    _keep(figure, path)
    plt.close(figure)


def images(
    pictures: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 5,
    wrong: Sequence[bool] | None = None,
    low: float | None = None,
    high: float | None = None,
    size: float = 2.0,
    heat: np.ndarray | None = None,
) -> Figure:
    """A grid of grey images.

    Args:
        pictures: shape (n, height, width) or (n, height, width, 1), any number type.
        titles: one text an image.
        columns: images in a row.
        wrong: for predictions: True draws a thick frame around the image, False a thin one.
        low, high: the values drawn white and black; None takes each image's own.
        size: inches a picture.
        heat: what to lay over the images in colour, shape (n, height, width); None for nothing.
    """
    pictures = np.asarray(pictures).reshape(len(pictures), *pictures.shape[1:3])
    rows = -(-len(pictures) // columns)
    lines = max((title.count("\n") + 1 for title in titles), default=0) if titles else 0
    inches = (size * columns, (size + 0.27 * lines) * rows)
    figure, axes = _axes(inches, nrows=rows, ncols=columns, squeeze=False)
    for axis in axes.flat[len(pictures) :]:
        axis.remove()
    for i, (picture, axis) in enumerate(zip(pictures, axes.flat, strict=False)):
        axis.imshow(picture, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
        if heat is not None:
            axis.imshow(heat[i], cmap="autumn_r", alpha=0.8 * heat[i] / (heat[i].max() or 1))
        axis.set(xticks=[], yticks=[])
        if titles:
            axis.set_title(titles[i], fontsize=12, pad=4)
        axis.spines[:].set_visible(wrong is not None)
        if wrong is not None:
            axis.spines[:].set(color=WRONG if wrong[i] else RIGHT, linewidth=4.0 if wrong[i] else 1.2)
    return figure


def predictions(
    pictures: np.ndarray, true: np.ndarray, predicted: np.ndarray, columns: int = 5, size: float = 2.0
) -> Figure:
    """A grid of images with predicted and true class; the wrong ones framed and marked with a cross.

    ``pictures`` have the shape (n, 28, 28), ``size`` inches each; ``true`` and ``predicted`` are classes, (n,).
    """
    wrong = np.asarray(true) != np.asarray(predicted)
    titles = [
        f"✗ {CLASS_NAMES[p]}\nis {CLASS_NAMES[t]}" if t != p else f"{CLASS_NAMES[p]}\n"
        for t, p in zip(true, predicted, strict=True)
    ]
    return images(pictures, titles, columns, wrong=wrong, size=size)


def curves(histories: Mapping[str, Mapping[str, Sequence[float]]], training: bool = True) -> Figure:
    """Accuracy and loss by epoch, side by side, one colour and one marker a model.

    ``histories`` are Keras's ``History.history`` by name; ``training`` draws the training curves too, dashed.
    """
    figure, axes = _axes((12, 4.4), ncols=2)
    for axis, key, title in zip(axes.flat, ("accuracy", "loss"), ("Accuracy", "Loss"), strict=True):
        for (name, history), colour, marker in zip(histories.items(), COLOURS, MARKERS, strict=False):
            epochs = np.arange(1, len(history[key]) + 1)
            axis.plot(epochs, history[f"val_{key}"], color=colour, marker=marker, markersize=5, label=name)
            if training:
                axis.plot(epochs, history[key], color=colour, linestyle="--", alpha=0.8)
        axis.set(title=title, xlabel="Epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    lines = "validation, dashed: training" if training else "validation"
    named = axes.flat[1].get_legend_handles_labels()
    figure.legend(*named, title=lines, loc="outside right upper", frameon=False, fontsize=11, title_fontsize=11)
    return figure


def heatmap(
    matrix: np.ndarray,
    title: str,
    form: str = "d",
    xlabel: str = "",
    ylabel: str = "",
    columns: Sequence[str] = CLASS_NAMES,
) -> Figure:
    """A matrix with a row for each class and its values written in the cells.

    Its shape is (10, number of ``columns``); ``form`` is how a value is written, as in ``format``.
    """
    look = {"cmap": "Blues", "square": True, "cbar_kws": {"shrink": 0.8}, "annot_kws": {"fontsize": 11}}
    names = {"xticklabels": columns, "yticklabels": CLASS_NAMES}
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(9.2, 7.8), layout="constrained")
        sns.heatmap(matrix, annot=True, fmt=form, **look, **names, ax=axis)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.set_xticklabels(columns, rotation=45, ha="right")
    return figure


def confusion_matrix(matrix: np.ndarray, title: str) -> Figure:
    """A heatmap of counts, shape (10, 10), rows true and columns predicted.

    The colour scale ends at the largest mistake, so that mistakes can be seen.
    """
    figure = heatmap(matrix, title, "d", "Predicted class", "True class")
    mesh = figure.axes[0].collections[0]
    mesh.set_clim(0, max(1, (matrix - np.diag(np.diag(matrix))).max()))
    for text, (i, j) in zip(figure.axes[0].texts, np.ndindex(matrix.shape), strict=True):
        text.set_color("white" if matrix[i, j] > 0.5 * mesh.get_clim()[1] else "black")
    return figure


def bars(values: Mapping[str, float], xlabel: str) -> Figure:
    """Horizontal bars with their names and values, the first on top."""
    figure, axis = _axes((9, 0.48 * len(values) + 1.4))
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS[0])
    axis.bar_label(drawn, fmt="%.3f", padding=4)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel=xlabel)
    return figure


def scatter(points: np.ndarray, labels: np.ndarray, title: str) -> Figure:
    """Points, shape (n, 2), with one colour and one marker for each class 0 to 9 of ``labels``, shape (n,)."""
    figure, axis = _axes((10, 7.5))
    for number, (name, colour, marker) in enumerate(zip(CLASS_NAMES, COLOURS, MARKERS, strict=True)):
        x, y = points[labels == number].T
        axis.scatter(x, y, s=16, color=colour, marker=marker, alpha=0.75, label=name)
    axis.set(title=title, xticks=[], yticks=[])
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
    return figure


def intervals(values: Mapping[str, tuple[float, float, float]], xlabel: str) -> Figure:
    """Estimates with their intervals (estimate, low, high), one line each, and a line at zero."""
    figure, axis = _axes((9, 0.6 * len(values) + 1.5))
    for row, (estimate, low, high) in enumerate(values.values()):
        axis.plot([low, high], [row, row], color=COLOURS[0], linewidth=2.5)
        axis.plot(estimate, row, "o", color=COLOURS[0], markersize=9)
    axis.axvline(0, color="0.4", linewidth=1)
    axis.set(xlabel=xlabel, yticks=range(len(values)), yticklabels=list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    return figure


def line(x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str, logarithmic: bool = False) -> Figure:
    """One curve; ``logarithmic`` says whether the x axis is."""
    figure, axis = _axes((9, 4.4))
    axis.plot(x, y, color=COLOURS[0])
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if logarithmic else "linear")
    return figure


def strip_plot(values: Mapping[str, Sequence[float]], xlabel: str, title: str = "") -> Figure:
    """Every point of several groups, a line each, with the mean and one standard deviation on both sides."""
    figure, axis = _axes((9, 0.42 * len(values) + 1.5))
    for row, points in enumerate(values.values()):
        axis.plot(points, [row] * len(points), "o", color=COLOURS[0], alpha=0.45, markersize=6)
        deviation = np.std(points, ddof=1) if len(points) > 1 else 0.0
        axis.errorbar(np.mean(points), row, xerr=deviation, fmt="|", color="black", markersize=14, capsize=4)
    axis.set(xlabel=xlabel, title=title, yticks=range(len(values)), yticklabels=list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.grid(axis="x", color="0.9")
    return figure


def point_plot(table: pd.DataFrame, x: str, y: str, group: str) -> Figure:
    """A column of a table against another one's values: every point, and the means with one standard deviation.

    Args:
        table: a row a point.
        x: a column with few values, in whose order they are drawn.
        y: a column of numbers.
        group: a column whose values get a colour and a marker each.
    """
    names = list(dict.fromkeys(table[group]))
    several = len(names) > 1
    apart = 0.1 * (len(names) - 1)  # groups stand side by side, in units of the x axis
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(names))]
    markers = [MARKERS[i % len(MARKERS)] for i in range(len(names))]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
        means = {"x": x, "y": y, "hue": group, "hue_order": names, "palette": colours, "markers": markers}
        sns.pointplot(table, **means, dodge=apart, errorbar="sd", capsize=0.08, linewidth=1.5, ax=axis)
    place = {value: i for i, value in enumerate(sorted(table[x].unique()))}
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        points = table[table[group] == name]
        axis.plot(points[x].map(place) + 0.1 * i - apart / 2, points[y], "o", color=colour, alpha=0.45)
    legend = axis.get_legend()
    if legend and several:
        sns.move_legend(axis, "center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title=None)
    elif legend:
        legend.remove()
    return figure


def _keep(figure: Figure, path: Path) -> None:
    with files.whole(path) as beside:
        beside.write_bytes(_png(figure, DPI))


def _png(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG in 96 colours: a third of the size, which keeps notebooks below a megabyte."""
    drawn, reduced = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight", facecolor="white")
    Image.open(drawn).convert("RGB").quantize(96).save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def _axes(size: tuple[float, float], **grid: Any) -> tuple[Figure, Any]:
    with plt.rc_context(STYLE):
        return plt.subplots(figsize=size, layout="constrained", **grid)
