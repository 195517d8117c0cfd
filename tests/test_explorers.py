"""An explorer's controls, what they give to its drawing, and its picture, without a browser."""

import io

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from fmnist_utils import explorers, plots


@pytest.fixture
def explored(monkeypatch):
    """A function that explores as a notebook does, and returns all widgets that would be seen, in order."""
    shown = []
    monkeypatch.setattr(explorers, "present", lambda widget, _: shown.append(widget))

    def explore(draw, **controls):
        explorers.explore(draw, **controls)
        return list(_below(shown[-1]))

    return explore


def _below(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _below(child)


def only(widgets, kind):
    (found,) = (widget for widget in widgets if isinstance(widget, kind))
    return found


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image.value)))


def recording(calls):
    """A drawing that notes what it is given; its picture depends on it."""

    def draw(learning_rate=0.5, steps=3, cell_of="Shirt", kernel=None):
        calls.append((learning_rate, steps, cell_of, kernel))
        figure, axis = plots.subplots(4, 2)
        axis.set(xlim=(0, 10), ylim=(0, 10))
        axis.plot([0, learning_rate], [0, steps])
        axis.text(1, 5, cell_of)
        return figure

    return draw


def test_a_tuple_is_a_slider_that_starts_at_the_default_and_moves_the_picture(explored):
    calls = []
    widgets = explored(recording(calls), learning_rate=(0.0, 5.0, 0.25), steps=(1, 9, 2))
    rate, steps = only(widgets, ipywidgets.FloatSlider), only(widgets, ipywidgets.IntSlider)
    assert (rate.min, rate.max, rate.step, rate.value) == (0.0, 5.0, 0.25, 0.5)
    assert (steps.min, steps.max, steps.step, steps.value) == (1, 9, 2, 3)
    assert (rate.description, rate.readout_format, steps.readout_format) == ("learning rate", ".2f", "d")
    assert rate.continuous_update
    assert steps.continuous_update
    image = only(widgets, ipywidgets.Image)
    before = image.value
    rate.value, steps.value = 4.0, 7
    assert [call[:2] for call in calls] == [(0.5, 3), (4.0, 3), (4.0, 7)]
    assert image.value != before


@pytest.mark.parametrize(
    ("step", "form"), [(0.1, ".1f"), (0.25, ".2f"), (1.0, ".0f"), (1e-5, ".5f"), (2.5, ".1f")]
)
def test_a_sliders_number_has_the_decimals_of_its_step(explored, step, form):
    widgets = explored(recording([]), learning_rate=(0.0, 5.0, step))
    assert only(widgets, ipywidgets.FloatSlider).readout_format == form


def test_without_a_default_a_slider_starts_at_its_lower_end(explored):
    widgets = explored(lambda turn: plots.subplots(4, 2)[0], turn=(-3, 3, 1))
    assert only(widgets, ipywidgets.IntSlider).value == -3


def test_a_list_is_a_drop_down(explored):
    calls = []
    widgets = explored(recording(calls), cell_of=["Coat", "Shirt", "Bag"])
    menu = only(widgets, ipywidgets.Dropdown)
    assert (menu.options, menu.value, menu.description) == (("Coat", "Shirt", "Bag"), "Shirt", "cell of")
    menu.value = "Bag"
    assert [call[2] for call in calls] == ["Shirt", "Bag"]


def test_an_array_is_a_grid_of_fields_that_gives_an_array(explored):
    calls, kernel = [], np.arange(6).reshape(2, 3)
    widgets = explored(recording(calls), kernel=kernel)
    fields = [widget for widget in widgets if isinstance(widget, ipywidgets.FloatText)]
    assert [field.value for field in fields] == [0, 1, 2, 3, 4, 5]
    assert "kernel" in [widget.value for widget in widgets if isinstance(widget, ipywidgets.Label)]
    fields[4].value = -1.5
    given = calls[-1][3]
    assert given.tolist() == [[0, 1, 2], [3, -1.5, 5]]
    assert given.dtype == np.float64
    assert kernel.tolist() == [[0, 1, 2], [3, 4, 5]], "the reader's own array stays as it is"


def test_an_error_is_shown_in_the_pictures_place_and_the_next_change_works(explored):
    def draw(divisor=1):
        figure, axis = plots.subplots(4, 2)
        axis.set_title(str(10 // divisor))
        if divisor == 2:
            raise ValueError("<two> is not wanted")
        return figure

    widgets = explored(draw, divisor=(0, 5, 1))
    slider, image = only(widgets, ipywidgets.IntSlider), only(widgets, ipywidgets.Image)
    (place,) = (widget for widget in widgets if getattr(widget, "children", ()) == (image,))
    first = image.value
    for value, said in ((0, "ZeroDivisionError: "), (2, "ValueError: &lt;two&gt; is not wanted")):
        slider.value = value
        (words,) = place.children
        assert said in words.value
    slider.value = 5
    assert place.children == (image,)
    assert image.value != first
    assert not plt.get_fignums()


def test_figures_are_closed_and_those_of_others_stay_open(explored):
    other = plt.figure()
    slider = only(explored(recording([]), steps=(1, 9, 1)), ipywidgets.IntSlider)
    for value in range(4, 9):
        slider.value = value
    assert plt.get_fignums() == [other.number]
    plt.close(other)


def test_what_the_first_drawing_raises_is_the_cells_error(explored):
    with pytest.raises(ZeroDivisionError):
        explored(lambda divisor=0: 1 // divisor, divisor=(0, 5, 1))


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ({"steps": (5, 9, 1)}, "steps: a slider from 5 to 9 in steps of 1 cannot start at 3"),
        ({"steps": (1, 9, 0)}, "in steps of 0"),
        ({"cell_of": ["Coat"]}, "cell_of: the drop-down cannot start at 'Shirt', which is not one of"),
        ({"steps": (1, 9)}, "steps: a control is"),
        ({"steps": []}, "steps: a control is"),
        ({"kernel": np.zeros(3)}, "kernel: a control is"),
    ],
)
def test_a_control_that_cannot_be_is_said(explored, controls, said):
    with pytest.raises(ValueError, match=said):
        explored(recording([]), **controls)


def test_axes_stay_in_their_places_until_letters_need_more_room(explored):
    def draw(largest=1):
        figure, axis = plots.subplots(6, 3)
        axis.set(ylim=(0, largest), yticks=[0, largest], yticklabels=["0", "9" * (1 + largest // 5)])
        drawn.append(axis)
        return figure

    drawn = []
    slider = only(explored(draw, largest=(1, 30, 1)), ipywidgets.IntSlider)
    for value in (2, 30, 29):
        slider.value = value
    first, second, third, fourth = (axis.get_position(original=True).x0 for axis in drawn)
    assert first == second
    assert third == fourth > first


def test_letters_are_as_large_as_in_the_static_picture_and_nothing_is_cut_off(explored):
    figures = []

    def draw(size=4):
        figure, axis = plots.subplots(12, 4)
        axis.set_title("title", fontsize=size)
        figures.append(figure)
        return figure

    picture = pixels(only(explored(draw, size=(1, 9, 1)), ipywidgets.Image))
    assert plots.letter_height(figures[0]) >= plots.SMALLEST_LETTER
    assert not explorers._is_cut_off(picture)


def test_a_reader_without_a_kernel_is_told_so(capsys):
    explorers.explore(recording([]), steps=(1, 9, 1))
    assert explorers.WITHOUT_KERNEL in capsys.readouterr().out
