"""Figures contain what they should, with no text beyond their edge."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fmnist_utils import plots, runs
from fmnist_utils.data import CLASS_NAMES


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts_are_inside(figure):
    """Every visible title and tick label lies within the figure's canvas, or in the tight box saved."""
    figure.canvas.draw()
    box = figure.get_tightbbox()
    return box.width <= figure.get_figwidth() * 1.3 and box.height <= figure.get_figheight() * 1.1


def test_images_shows_each_picture_with_its_title():
    pictures = np.arange(3 * 28 * 28).reshape(3, 28, 28)
    figure = plots.images(pictures, ["a", "b", "c"], columns=2)
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c"], "the fourth place is empty"
    for axis, picture in zip(figure.axes, pictures, strict=True):
        assert np.array_equal(axis.images[0].get_array(), picture)
    assert texts_are_inside(figure)


def test_predictions_mark_the_wrong_ones_by_more_than_colour():
    figure = plots.predictions(np.zeros((2, 28, 28)), np.array([0, 1]), np.array([0, 2]), columns=2)
    right, wrong = figure.axes
    assert right.get_title().strip() == "T-shirt/top"
    assert wrong.get_title() == "✗ Pullover\nis Trouser"
    assert wrong.spines["left"].get_linewidth() > right.spines["left"].get_linewidth()
    assert wrong.spines["left"].get_edgecolor() != right.spines["left"].get_edgecolor()


def test_curves_draw_accuracy_and_loss_of_each_model_on_common_axes():
    history = {"accuracy": [0.5, 0.6], "val_accuracy": [0.4, 0.5], "loss": [1.0, 0.9], "val_loss": [1.1, 1.0]}
    figure = plots.curves({"one": history, "two": history})
    accuracy, loss = figure.axes
    assert (accuracy.get_title(), loss.get_title()) == ("Accuracy", "Loss")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[0.4, 0.5], [0.5, 0.6]] * 2
    assert accuracy.lines[0].get_color() == accuracy.lines[1].get_color() != accuracy.lines[2].get_color()
    assert accuracy.lines[0].get_marker() != accuracy.lines[2].get_marker()
    assert len(plots.curves({"one": history}, training=False).axes[0].lines) == 1


def test_the_confusion_matrix_holds_every_count_and_scales_to_the_mistakes():
    matrix = np.diag([90] * 10) + 1
    matrix[6, 0] = 40
    axis = plots.confusion_matrix(matrix, "title").axes[0]
    assert [int(text.get_text()) for text in axis.texts] == matrix.ravel().tolist()
    assert axis.collections[0].get_clim() == (0, 40)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("Predicted class", "True class")
    assert [label.get_text() for label in axis.get_yticklabels()] == list(CLASS_NAMES)


def test_a_heatmap_may_have_other_columns():
    axis = plots.heatmap(np.zeros((10, 2)), "title", ".1f", columns=["a", "b"]).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b"]


def test_bars_carry_their_values():
    figure = plots.bars({"first": 0.25, "second": 0.5}, "share")
    axis = figure.axes[0]
    assert [bar.get_width() for bar in axis.patches] == [0.25, 0.5]
    assert [text.get_text() for text in axis.texts] == ["0.250", "0.500"]
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first is on top"
    assert texts_are_inside(figure)


def test_scatter_gives_each_class_a_colour_and_a_marker():
    axis = plots.scatter(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 10, "title").axes[0]
    assert len(axis.collections) == 10
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(CLASS_NAMES)
    assert len({tuple(c.get_facecolor()[0]) for c in axis.collections}) == 10


def test_intervals_draw_estimates_bounds_and_zero():
    axis = plots.intervals({"a": (1.0, 0.5, 2.0)}, "gain").axes[0]
    assert list(axis.lines[0].get_xdata()) == [0.5, 2.0]
    assert list(axis.lines[1].get_xdata()) == [1.0]
    assert set(axis.lines[2].get_xdata()) == {0}


def test_strips_draw_every_point_and_one_deviation():
    figure = plots.strip_plot({"a": [1.0, 2.0, 3.0], "b": [5.0]}, "score")
    axis = figure.axes[0]
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in points] == [[1.0, 2.0, 3.0], [5.0]]
    bars = [container.lines[2][0].get_segments()[0][:, 0].tolist() for container in axis.containers]
    assert bars == [[1.0, 3.0], [5.0, 5.0]]
    assert texts_are_inside(figure)


def test_by_value_draws_means_and_points_for_each_group():
    table = pd.DataFrame({"rate": [2, 2, 1, 1], "score": [0.1, 0.3, 0.5, 0.7], "model": ["a", "a", "b", "b"]})
    axis = plots.point_plot(table, "rate", "score", "model").axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "2"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    points = [line.get_xydata().round(3).tolist() for line in axis.lines if line.get_linestyle() == "None"]
    assert [[0.95, 0.1], [0.95, 0.3]] in points and [[0.05, 0.5], [0.05, 0.7]] in points


@pytest.mark.parametrize("models", ["aabb", "aaaa", "1122"])
def test_by_value_needs_no_legend_for_one_group_or_where_the_axis_names_them(models):
    table = pd.DataFrame({"net": list("1122"), "score": [0.1, 0.3, 0.5, 0.7], "model": list(models)})
    legend = plots.point_plot(table, "net", "score", "model").axes[0].get_legend()
    assert legend is None or len(legend.get_texts()) > 1


def test_a_line_may_have_a_logarithmic_axis():
    axis = plots.line([1, 10], [3, 4], "rate", "loss", logarithmic=True).axes[0]
    assert axis.get_xscale() == "log"
    assert list(axis.lines[0].get_ydata()) == [3, 4]


def test_show_displays_with_a_description_and_keeps_a_named_figure(own_folders, monkeypatch):
    shown = {}
    monkeypatch.setattr(plots, "display", lambda data, **more: shown.update(data=data, **more))
    plots.show(plots.bars({"a": 1.0}, "x"), "one bar", "00_bar")
    kept = (runs.runs_dir() / "figures" / "00_bar.png").read_bytes()
    assert base64.b64decode(shown["data"]["image/png"]) == kept
    assert shown["metadata"]["alt"] == shown["data"]["text/plain"] == "one bar"
    assert Image.open(io.BytesIO(kept)).size[0] > 400
    assert plt.get_fignums() == []
