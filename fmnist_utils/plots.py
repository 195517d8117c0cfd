"""Figures from plain arrays: each function returns its Figure; ``show`` displays and keeps it.

Sizes are for a projector: on a screen that a figure fills, its letters can be read from the last row. Colours
can be told apart by colour-blind readers, and wrong and right by a mark as well as by colour.
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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageChops

from fmnist_utils import runs
from fmnist_utils.data import CLASS_NAMES
from fmnist_utils.support import environment, files

# Whatever a matplotlibrc or MPLBACKEND says: they may have been read before this package was imported.
plt.style.use("default")
if environment.in_kernel():
    get_ipython().run_line_magic("matplotlib", "inline")
else:
    matplotlib.use("agg")

# Found by a search for ten colours that also differ for who sees no red or no green (tests/test_plots.py).
COLOURS = (
    *("#0072b2", "#f0a700", "#0d1b02", "#aa6102", "#5abef6"),
    *("#00c89d", "#58264c", "#71523e", "#6b8389", "#0036a4"),
)
MARKERS = "osD^vPX*<>"  # one for each colour, for readers who cannot tell the colours apart
RIGHT, WRONG = COLOURS[0], COLOURS[3]
DPI = 110
SMALLEST_LETTER = 1 / 50  # of the height of a screen of 16 : 9: what can be read from the last row
_CAPITAL = 0.729  # height of a capital letter as a share of the size of its font, DejaVu Sans
_UNSEEN = 16  # of 255: a change of a colour, in red, green or blue, that shows nothing new
_TOGETHER = 3  # curves that may cross each other on one pair of axes


def show(figure: Figure, description: str, save_as: str | None = None, dpi: int = DPI) -> None:
    """Display a figure with its description for those who cannot see it; keep it if it has a name.

    Letters that could not be read from the last row are enlarged; how high the smallest then is, by
    ``letter_height``, goes into the output's metadata.

    Args:
        figure: what the functions of this module return; it is closed.
        description: what the picture shows; it becomes the image's alternative text.
        save_as: the name, without ``.png``, under which the run keeps the figure.
        dpi: pixels an inch of what is displayed; what is kept always has the full ``DPI``.
    """
    _enlarge_letters(figure)
    if save_as:
        _keep(figure, runs.figure_path(save_as))
    png = _png(figure, dpi)
    metadata: dict[str, Any] = {"alt": description}
    if _texts(figure):
        metadata["letters"] = round(letter_height(figure), 4)
    plt.close(figure)
    image = base64.b64encode(png).decode()
    display({"image/png": image, "text/plain": description}, raw=True, metadata=metadata)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG and close it."""
    _enlarge_letters(figure)
    _keep(figure, path)
    plt.close(figure)


def subplots(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """``plt.subplots`` of so many inches, without a frame on top and at the right.

    ``grid`` are further arguments of ``plt.subplots``.
    """
    with plt.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        return plt.subplots(figsize=(width, height), layout="constrained", **grid)


def letter_height(figure: Figure) -> float:
    """How high the smallest capital letter is on a screen of 16 : 9 that the figure fills, as a share of it."""
    smallest = min(float(text.get_fontsize()) for text in _texts(figure))
    return smallest * _CAPITAL / 72 / _screen(figure)


def images(
    pictures: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 5,
    wrong: Sequence[bool] | None = None,
    low: float | None = None,
    high: float | None = None,
    size: float = 2.0,
    heat: np.ndarray | None = None,
    cmap: str = "gray_r",
) -> Figure:
    """A grid of images, grey if nothing else is asked for.

    Args:
        pictures: shape (n, height, width) or (n, height, width, 1), any number type.
        titles: one text an image.
        columns: images in a row.
        wrong: for predictions: True draws a thick frame around the image, False a thin one.
        low, high: the values at the two ends of the colours; None takes each image's own.
        size: inches a picture; where its title needs more, its place is wider.
        heat: what to lay over the images in colour, shape (n, height, width); None for nothing.
        cmap: matplotlib's name of the colours.
    """
    pictures = np.asarray(pictures).reshape(len(pictures), *pictures.shape[1:3])
    titles = [""] * len(pictures) if titles is None else list(titles)
    rows = -(-len(pictures) // columns)
    figure, axes = subplots(*_inches(titles, rows, columns, size), nrows=rows, ncols=columns, squeeze=False)
    for axis in axes.flat[len(pictures) :]:
        axis.remove()
    for i, (picture, axis) in enumerate(zip(pictures, axes.flat, strict=False)):
        axis.imshow(picture, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        if heat is not None:
            axis.imshow(heat[i], cmap="autumn_r", alpha=0.8 * heat[i] / (heat[i].max() or 1))
        axis.set(xticks=[], yticks=[])
        axis.set_title(titles[i], pad=4)
        axis.spines[:].set_visible(wrong is not None)
        if wrong is not None:
            axis.spines[:].set(color=WRONG if wrong[i] else RIGHT, linewidth=4.0 if wrong[i] else 1.2)
    return figure


def sequence(pictures: Mapping[str, np.ndarray], title: str = "", columns: int = 4) -> Figure:
    """What becomes of a picture, step by step, each step under its name, as bright as it is.

    Args:
        pictures: uint8, shape (height, width, 3) or (height, width), 0 black and 255 white, by their names.
        title: above all.
        columns: steps in a row.
    """
    rows = -(-len(pictures) // columns)
    size = _inches(list(pictures), rows, columns, 2.6)
    figure, axes = subplots(size[0], size[1] + 0.5, nrows=rows, ncols=columns, squeeze=False)
    for axis in axes.flat[len(pictures) :]:
        axis.remove()
    for (name, picture), axis in zip(pictures.items(), axes.flat, strict=False):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, pad=4)
        axis.spines[:].set(visible=True, color="0.8")
    figure.suptitle(title)
    return figure


def answer_titles(true: Sequence[int] | np.ndarray, predicted: Sequence[int] | np.ndarray) -> list[str]:
    """The series' one form of title for predictions: the answer, and below it, where it is wrong, the label.

    ``true`` and ``predicted`` are classes, shape (n,); a wrong answer begins with a cross.
    """
    return [
        f"✗ {CLASS_NAMES[p]}\nlabel {CLASS_NAMES[t]}" if t != p else f"\n{CLASS_NAMES[p]}"
        for t, p in zip(true, predicted, strict=True)
    ]


def predictions(
    pictures: np.ndarray, true: np.ndarray, predicted: np.ndarray, columns: int = 5, size: float = 2.0
) -> Figure:
    """A grid of images with predicted and true class; the wrong ones framed and marked with a cross.

    ``pictures`` have the shape (n, 28, 28), ``size`` inches each; ``true`` and ``predicted`` are classes, (n,).
    """
    wrong = np.asarray(true) != np.asarray(predicted)
    return images(pictures, answer_titles(true, predicted), columns, wrong=wrong, size=size)


def curves(histories: Mapping[str, Mapping[str, Sequence[float]]], training: bool = True) -> Figure:
    """Accuracy and loss by epoch, side by side, one colour and one marker a model.

    Of more than three models it is the accuracy alone, a panel a model, with the others' validation curves in
    pale grey behind it.

    Args:
        histories: Keras's ``History.history`` by name.
        training: draw the training curves too, dashed.
    """
    if len(histories) > _TOGETHER:
        return _panels(histories, training)
    figure, axes = subplots(12, 4.4, ncols=2)
    for axis, key, title in zip(axes.flat, ("accuracy", "loss"), ("Accuracy", "Loss"), strict=True):
        for (name, history), colour, marker in zip(histories.items(), COLOURS, MARKERS, strict=False):
            _curve(axis, history[f"val_{key}"], color=colour, marker=marker, label=f"{name}, validation")
            if training:
                _curve(axis, history[key], color=colour, linestyle="--", label=f"{name}, training")
        axis.set(title=title, xlabel="Epoch")
    handles, labels = axes.flat[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panels(histories: Mapping[str, Mapping[str, Sequence[float]]], training: bool) -> Figure:
    columns = 4
    rows = -(-len(histories) // columns)
    figure, axes = subplots(12, 0.4 + 3.0 * rows, nrows=rows, ncols=columns, sharey=True, squeeze=False)
    for axis in axes.flat[len(histories) :]:
        axis.remove()
    for axis, (name, history) in zip(axes.flat, histories.items(), strict=False):
        for other in histories.values():
            _curve(axis, other["val_accuracy"], color="0.8", linewidth=1)
        _curve(axis, history["val_accuracy"], color=COLOURS[0], marker="o", label="validation")
        if training:
            _curve(axis, history["accuracy"], color=COLOURS[0], linestyle="--", label="training")
        axis.set(title=name, xlabel="Epoch")
    for axis in axes[:, 0]:
        axis.set_ylabel("Accuracy")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    if training:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _curve(axis: Axes, values: Sequence[float], **look: Any) -> None:
    axis.plot(np.arange(1, len(values) + 1), values, markersize=5, **look)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


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
    figure, axis = subplots(10.5, 8.6)
    look = {"cmap": "Blues", "square": True, "cbar_kws": {"shrink": 0.8}}
    names = {"xticklabels": columns, "yticklabels": CLASS_NAMES}
    sns.heatmap(matrix, annot=True, fmt=form, **look, **names, ax=axis)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.set_xticklabels(columns, rotation=45, ha="right")
    axis.set_yticklabels(CLASS_NAMES, rotation=0)
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
    figure, axis = subplots(9, 0.48 * len(values) + 1.4)
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS[0])
    axis.bar_label(drawn, fmt="%.3f", padding=4)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel=xlabel)
    return figure


def scatter(points: np.ndarray, labels: np.ndarray, title: str) -> Figure:
    """Points, shape (n, 2), with one colour and one marker for each class 0 to 9 of ``labels``, shape (n,)."""
    figure, axis = subplots(13, 8)
    for number, (name, colour, marker) in enumerate(zip(CLASS_NAMES, COLOURS, MARKERS, strict=True)):
        x, y = points[labels == number].T
        axis.scatter(x, y, s=36, color=colour, marker=marker, alpha=0.8, linewidths=0, label=name)
    axis.set(title=title, xticks=[], yticks=[])
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
    return figure


def intervals(values: Mapping[str, tuple[float, float, float]], xlabel: str) -> Figure:
    """Estimates with their intervals (estimate, low, high), one line each, and a line at zero."""
    figure, axis = subplots(9, 0.6 * len(values) + 1.5)
    for row, (estimate, low, high) in enumerate(values.values()):
        axis.plot([low, high], [row, row], color=COLOURS[0], linewidth=2.5)
        axis.plot(estimate, row, "o", color=COLOURS[0], markersize=9)
    axis.axvline(0, color="0.4", linewidth=1)
    axis.set(xlabel=xlabel, yticks=range(len(values)), yticklabels=list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    return figure


def line(x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str, logarithmic: bool = False) -> Figure:
    """One curve; ``logarithmic`` says whether the x axis is."""
    figure, axis = subplots(9, 4.4)
    axis.plot(x, y, color=COLOURS[0])
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if logarithmic else "linear")
    return figure


def strip_plot(values: Mapping[str, Sequence[float]], xlabel: str, title: str = "") -> Figure:
    """Every point of several groups, a line each, with the mean and one standard deviation on both sides."""
    figure, axis = subplots(9, 0.42 * len(values) + 1.5)
    for row, points in enumerate(values.values()):
        axis.plot(points, [row] * len(points), "o", color=COLOURS[0], alpha=0.45, markersize=6)
        deviation = np.std(points, ddof=1) if len(points) > 1 else 0.0
        axis.errorbar(np.mean(points), row, xerr=deviation, fmt="|", color="black", markersize=14, capsize=4)
    axis.set(xlabel=xlabel, title=title, yticks=range(len(values)), yticklabels=list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.grid(axis="x", color="0.9")
    return figure


def point_plot(table: pd.DataFrame, x: str, y: str, group: str, xlabel: str = "", ylabel: str = "") -> Figure:
    """A column of a table against another one's values: every point, and the means with one standard deviation.

    Numbers stand where they are, on a logarithmic axis if the largest is eight times the smallest or more, and
    lines join their means. Other values stand side by side in their order, and nothing joins them.

    Args:
        table: a row a point.
        x: a column with few values.
        y: a column of numbers.
        group: a column whose values get a colour and a marker each.
        xlabel, ylabel: the axes' names; the columns' where none are given.
    """
    figure, axis = subplots(9, 5)
    values = sorted(table[x].unique())
    numeric = pd.api.types.is_numeric_dtype(table[x])
    place = {value: value if numeric else i for i, value in enumerate(values)}
    names = list(dict.fromkeys(table[group]))
    for i, name in enumerate(names):
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        of_group = table[table[group] == name]
        axis.plot(of_group[x].map(place), of_group[y], linestyle="none", alpha=0.35, markersize=5, **look)
        means = of_group.groupby(x, sort=True)[y].agg(["mean", "std"])
        line = "-" if numeric else "none"
        drawn = {"yerr": means["std"].fillna(0), "linestyle": line, "linewidth": 1.5, "capsize": 4}
        axis.errorbar(means.index.map(place), means["mean"], markersize=8, label=str(name), **drawn, **look)
    if numeric and values[0] > 0 and values[-1] >= 8 * values[0]:
        axis.set_xscale("log")
        axis.minorticks_off()
    if not numeric or len(values) <= 8:
        axis.set_xticks([place[value] for value in values], [str(value) for value in values])
    axis.set(xlabel=xlabel or x, ylabel=ylabel or y)
    if len(names) > 1 and any(table.groupby(group)[x].nunique() > 1):
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def network(model: Any) -> Figure:
    """The shapes through a Keras model as blocks, from the image that comes in to the classes.

    A layer that changes the shape or has a kernel is a block: its front shows a map's height and width, its
    depth the number of maps, on a compressed scale; the shape is written under it. Other layers are marks on
    the arrow after it. An addition is a plus, with the way round the layers to whose output it adds what came
    into them. A long network takes two rows.

    Args:
        model: built, sequential or functional: a chain of layers, with ways round some of them.

    Raises:
        ValueError: if the model is not built, or not such a chain.
    """
    from fmnist_utils.drawings import networks  # which imports this module

    return networks.network(model)


def _keep(figure: Figure, path: Path) -> None:
    with files.whole(path) as beside:
        beside.write_bytes(_png(figure, DPI))


def _png(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG: in 256 colours if none of its own is changed by more than can be seen.

    That halves its size, which keeps notebooks below a megabyte.
    """
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight", facecolor="white")
    picture = Image.open(drawn).convert("RGB")
    reduced = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
    same = np.asarray(ImageChops.difference(picture, reduced.convert("RGB"))).max() <= _UNSEEN
    (reduced if same else picture).save(packed, format="png", optimize=True)
    return packed.getvalue()


def _texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def _screen(figure: Figure) -> float:
    """The height in inches of the screen of 16 : 9 that the figure fills."""
    figure.draw_without_rendering()  # which finds each part's place
    box = figure.get_tightbbox()
    return max(box.height, box.width * 9 / 16)


def smallest_font(screen: float) -> float:
    """The size in points of the smallest font that can be read, on a screen so many inches high."""
    return max(12.0, 1.02 * SMALLEST_LETTER * 72 * screen / _CAPITAL)


def _enlarge_letters(figure: Figure) -> None:
    for _ in range(3):  # larger letters may need a larger figure
        smallest = smallest_font(_screen(figure))
        for text in _texts(figure):
            text.set_fontsize(max(text.get_fontsize(), smallest))


def _inches(titles: Sequence[str], rows: int, columns: int, size: float) -> tuple[float, float]:
    """Width and height of a grid of pictures that leaves room for titles that can be read."""
    longest = max((len(line) for title in titles for line in title.split("\n")), default=0)
    by_row = [titles[row * columns : (row + 1) * columns] for row in range(rows)]
    lines = sum(max((len(title.split("\n")) if title else 0 for title in row), default=0) for row in by_row)
    width, height = size * columns, size * rows
    for _ in range(20):  # it settles after some
        letters = smallest_font(max(height, width * 9 / 16)) / 72
        width = columns * max(size, 0.58 * longest * letters)
        height = size * rows + 1.25 * lines * letters
    return width, height
