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


def test_a_sequence_shows_each_step_under_its_name_as_bright_as_it_is():
    steps = {"photograph": np.full((40, 30, 3), 9, np.uint8), "grey": np.full((20, 30), 7, np.uint8)}
    steps["fitted"] = np.eye(28, dtype=np.uint8)
    figure = plots.sequence(steps, "Shirt 94%", columns=2)
    assert [axis.get_title() for axis in figure.axes] == list(steps), "the fourth place is empty"
    for axis, picture in zip(figure.axes, steps.values(), strict=True):
        assert np.array_equal(axis.images[0].get_array(), picture)
        assert axis.images[0].get_clim() == (0, 255) and axis.images[0].get_cmap().name == "gray"
    assert figure.get_suptitle() == "Shirt 94%"
    assert texts_are_inside(figure)


def test_predictions_mark_the_wrong_ones_by_more_than_colour():
    figure = plots.predictions(np.zeros((2, 28, 28)), np.array([0, 1]), np.array([0, 2]), columns=2)
    right, wrong = figure.axes
    assert right.get_title().strip() == "T-shirt/top"
    assert wrong.get_title() == "✗ Pullover\nlabel Trouser"
    assert wrong.spines["left"].get_linewidth() > right.spines["left"].get_linewidth()
    assert wrong.spines["left"].get_edgecolor() != right.spines["left"].get_edgecolor()


HISTORY = {"accuracy": [0.5, 0.6], "val_accuracy": [0.4, 0.5], "loss": [1.0, 0.9], "val_loss": [1.1, 1.0]}


def test_curves_draw_accuracy_and_loss_of_each_model_on_common_axes():
    figure = plots.curves({"one": HISTORY, "two": HISTORY})
    accuracy, loss = figure.axes
    assert (accuracy.get_title(), loss.get_title()) == ("Accuracy", "Loss")
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["one, validation", "one, training", "two, validation", "two, training"]
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[0.4, 0.5], [0.5, 0.6]] * 2
    assert accuracy.lines[0].get_color() == accuracy.lines[1].get_color() != accuracy.lines[2].get_color()
    assert accuracy.lines[0].get_marker() != accuracy.lines[2].get_marker()
    assert len(plots.curves({"one": HISTORY}, training=False).axes[0].lines) == 1


def test_more_than_three_models_get_a_panel_each():
    figure = plots.curves(dict.fromkeys(["a", "b", "c", "d", "e"], HISTORY))
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c", "d", "e"]
    for axis in figure.axes:
        coloured = [line for line in axis.lines if line.get_color() != "0.8"]
        assert [list(line.get_ydata()) for line in coloured] == [[0.4, 0.5], [0.5, 0.6]]


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


def test_numbers_stand_where_they_are():
    rates = [0.001, 0.001, 0.003, 0.03, 0.03]
    table = pd.DataFrame({"rate": rates, "score": [0.1, 0.3, 0.5, 0.7, 0.9], "model": list("aaabb")})
    axis = plots.point_plot(table, "rate", "score", "model", "Rate", "Score").axes[0]
    assert axis.get_xscale() == "log"
    points = [line.get_xydata().tolist() for line in axis.lines if line.get_linestyle() == "None"]
    assert [[0.001, 0.1], [0.001, 0.3], [0.003, 0.5]] in points and [[0.03, 0.7], [0.03, 0.9]] in points
    means = [line.get_xydata().tolist() for line in axis.lines if line.get_linestyle() == "-"]
    assert np.allclose(means[0], [[0.001, 0.2], [0.003, 0.5]])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("Rate", "Score")
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0.001", "0.003", "0.03"]


def test_near_numbers_stand_on_a_linear_axis_and_words_are_not_joined():
    table = pd.DataFrame({"x": [32, 64, 128], "word": list("abc"), "score": [0.1, 0.2, 0.3], "model": "m"})
    assert plots.point_plot(table, "x", "score", "model").axes[0].get_xscale() == "linear"
    axis = plots.point_plot(table, "word", "score", "model").axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["a", "b", "c"]
    assert not [line for line in axis.lines if line.get_linestyle() == "-"]


@pytest.mark.parametrize("models", ["aabb", "aaaa", "1122"])
def test_a_point_plot_needs_no_legend_for_one_group_or_where_the_axis_names_them(models):
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
    assert shown["metadata"]["letters"] >= plots.SMALLEST_LETTER
    assert Image.open(io.BytesIO(kept)).size[0] > 400
    assert plt.get_fignums() == []


@pytest.mark.parametrize("size", [(9, 2.4), (9, 4.4), (12, 4.4), (7, 11)])
def test_letters_are_enlarged_until_they_can_be_read_from_the_last_row(size, tmp_path):
    figure, axis = plots.subplots(*size)
    axis.plot([1, 2], [3, 4], label="a curve")
    axis.set(title="A title", xlabel="x")
    axis.legend()
    axis.text(1.5, 3.5, "tiny", fontsize=2)
    assert plots.letter_height(figure) < plots.SMALLEST_LETTER
    plots.save(figure, tmp_path / "figure.png")
    assert plots.letter_height(figure) >= plots.SMALLEST_LETTER


def test_titles_of_a_grid_do_not_run_into_each_other():
    figure = plots.predictions(np.zeros((25, 28, 28)), np.zeros(25, int), np.full(25, 9), size=1.0)
    plots._enlarge_letters(figure)
    figure.draw_without_rendering()
    boxes = [axis.title.get_window_extent() for axis in figure.axes]
    for one, other in zip(boxes[:4], boxes[1:5], strict=True):
        assert one.x1 < other.x0


@pytest.mark.parametrize("cmap", ["gray_r", "Blues", "turbo", "autumn_r"])
def test_a_picture_shows_no_colour_that_was_not_drawn(cmap, tmp_path):
    figure = plots.images(np.arange(1024).reshape(1, 32, 32), cmap=cmap, size=4.0)
    figure.savefig(tmp_path / "drawn.png", dpi=plots.DPI, bbox_inches="tight", facecolor="white")
    plots.save(figure, tmp_path / "kept.png")
    drawn, kept = (np.asarray(Image.open(tmp_path / f"{n}.png").convert("RGB"), int) for n in ("drawn", "kept"))
    assert np.abs(drawn - kept).max() <= 16
