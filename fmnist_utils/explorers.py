"""Controls and a picture that follows them, in JupyterLab; each has a static twin in its notebook.

A picture should be there a fifth of a second after a drag. matplotlib's search for a layout takes half of the
time of a drawing, so it is done for the first picture only, and nothing is cropped or packed as what stays.
"""

import html
import inspect
import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fmnist_utils import plots

WITHOUT_KERNEL = "Controls, and a picture that follows them: run this cell in JupyterLab to use them."
WIDTH, HEIGHT = 860, 400  # of a page, in its pixels: what a picture may take
ALONE, AMONG_MANY = 26, 16  # em: the width of a slider or a drop-down, without its name
MANY = 3  # controls: these stand side by side, so that the picture finds room on the screen as well
SHARPNESS = 1.5  # a picture's own pixels for each of those: pages are enlarged in front of a class


def explore(draw: Callable[..., Figure], /, **controls: Any) -> None:
    """Show controls, and the picture that ``draw`` makes of their values, drawn again at each change.

    The places of the axes are those of the first picture, as long as there are as many and all letters find
    room. An error of a later drawing is shown in words in the picture's place, until the next change.

    Args:
        draw: takes a value for each control by name and returns a Figure, in less than 0.1 s.
        controls: by argument of ``draw``: ``(low, high, step)`` is a slider, of whole numbers if these and its
            start are; a list is a drop-down of its values; an array of shape (rows, columns) is a grid of
            fields with its numbers, of which ``draw`` gets an array of that shape, float64. Sliders and
            drop-downs start at ``draw``'s default for the argument, else at ``low`` and the first value.

    Raises:
        ValueError: a control is none of these, or cannot take ``draw``'s default.
        Exception: whatever the first drawing raises.
    """
    defaults = _defaults(draw)
    room = 0.55 * max(map(len, controls), default=0) + 0.5  # em: for the longest name
    width = ALONE if len(controls) < MANY else AMONG_MANY
    made = {name: _control(name, it, defaults.get(name), room, width) for name, it in controls.items()}
    picture = Picture(lambda: draw(**{name: control.value() for name, control in made.items()}))
    picture.redraw()
    for control in made.values():
        for field in control.fields:
            field.observe(picture.follow, names="value")
    present(_together([control.box for control in made.values()], picture.place), WITHOUT_KERNEL)


class _Control:
    """The widgets of one argument, and the value that they stand for."""

    def __init__(self, box: Any, fields: Sequence[Any], shape: tuple[int, ...] | None = None) -> None:
        self.box, self.fields, self._shape = box, fields, shape

    def value(self) -> Any:
        values = [field.value for field in self.fields]
        return values[0] if self._shape is None else np.array(values, dtype=float).reshape(self._shape)


class Picture:
    """One image, drawn again and again, or the words that stand in its place after an error.

    Attributes:
        place: the widget in which one of them stands, as wide as the page at most.
    """

    def __init__(self, draw: Callable[[], Figure], height: int = HEIGHT) -> None:
        """``draw`` returns a Figure of the present values; it takes ``height`` of a page's pixels at most."""
        self._draw, self._height, self._layout = draw, height, _Layout()
        self._image = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        self._words = ipywidgets.HTML()
        self.place = ipywidgets.Box([self._image], layout={"min_width": "0", "max_width": "100%"})

    def redraw(self) -> None:
        """Draw with the present values; no figure stays open, finished or not."""
        before = set(plt.get_fignums())
        try:
            figure = self._draw()
            _enlarge_letters(figure)
            width = min(WIDTH, self._height * float(figure.get_figwidth()) / float(figure.get_figheight()))
            self._image.value = _png(self._layout.render(figure, width * SHARPNESS))
            self._image.layout.width = f"{width:.0f}px"
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)

    def follow(self, change: Any = None) -> None:
        """Draw after a change, or say why there is no picture: in a callback nobody would see an error."""
        try:
            self.redraw()
            self._put(self._image)
        except Exception as error:
            said = html.escape(f"{type(error).__name__}: {error}")
            self._words.value = f"<b>There is no picture for these values.</b><br>{said}"
            self._put(self._words)

    def _put(self, widget: Any) -> None:
        if self.place.children != (widget,):
            self.place.children = (widget,)


class _Layout:
    """The places of the axes, found for one picture and used for those that follow."""

    def __init__(self) -> None:
        self._shape: tuple[float, ...] = ()
        self._places: list[Any] = []

    def render(self, figure: Figure, width: float) -> np.ndarray:
        """The figure in so many pixels' width: shape (height, width, 4), uint8."""
        figure.set(dpi=width / figure.get_figwidth(), facecolor="white")
        shape = (len(figure.axes), *figure.get_size_inches())
        if figure.get_layout_engine() and shape == self._shape:
            pixels = self._as_before(figure)
            if not _is_cut_off(pixels):
                return pixels
        pixels = _pixels(figure)
        if _is_cut_off(pixels):  # a layout of pictures may need a second search
            pixels = _pixels(figure)
        self._shape = shape
        self._places = [axis.get_position(original=True).frozen() for axis in figure.axes]
        return pixels

    def _as_before(self, figure: Figure) -> np.ndarray:
        """Without a search; afterwards the figure is as ready for one as it was."""
        engine = figure.get_layout_engine()
        figure.set_layout_engine("none")
        for axis, place in zip(figure.axes, self._places, strict=True):
            axis.set_position(place)
        pixels = _pixels(figure)
        figure.set_layout_engine(engine)
        for axis in figure.axes:
            axis.set_in_layout(True)
        return pixels


def _pixels(figure: Figure) -> np.ndarray:
    """As ``savefig``, which draws everything twice."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _is_cut_off(pixels: np.ndarray) -> bool:
    """Whether something reaches the edge of a picture, which a layout leaves white."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return any((edge != 255).any() for edge in edges)


def _png(pixels: np.ndarray) -> bytes:
    """Packed in the shortest time: the picture goes no further than to the browser beside."""
    written = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(written, format="png", compress_level=1)
    return written.getvalue()


def _enlarge_letters(figure: Figure) -> None:
    """As ``plots.show`` does, but for the figure as it is, whose edges need no search."""
    smallest = plots.smallest_font(max(figure.get_figheight(), figure.get_figwidth() * 9 / 16))
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), smallest))


def _defaults(draw: Callable[..., Figure]) -> dict[str, Any]:
    parameters = inspect.signature(draw).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def _control(name: str, control: Any, start: Any, room: float, width: float) -> _Control:
    """``room`` is the width in em that the name of a control takes, ``width`` that of the rest."""
    if isinstance(control, np.ndarray) and control.ndim == 2 and control.size:
        return _grid(name, control, room)
    if isinstance(control, tuple) and len(control) == 3:
        widget = _slider(name, *control, start=control[0] if start is None else start)
    elif isinstance(control, list) and control:
        widget = _drop_down(name, control, control[0] if start is None else start)
    else:
        raise ValueError(f"{name}: a control is (low, high, step), a list or a 2-D array, not {control!r}.")
    widget.description = _words(name)
    widget.style.description_width = f"{room}em"
    widget.layout = {"width": f"{room + width}em", "max_width": "100%"}
    return _Control(widget, [widget])


def _slider(name: str, low: float, high: float, step: float, start: float) -> Any:
    if not (low <= start <= high and step > 0):
        raise ValueError(f"{name}: a slider from {low} to {high} in steps of {step} cannot start at {start}.")
    limits = {"min": low, "max": high, "step": step, "value": start, "continuous_update": True}
    if all(isinstance(number, int | np.integer) for number in (low, high, step, start)):
        return ipywidgets.IntSlider(**limits)
    decimals = max(0, -int(Decimal(str(float(step))).normalize().as_tuple().exponent))
    return ipywidgets.FloatSlider(**limits, readout_format=f".{decimals}f")


def _drop_down(name: str, values: list[Any], start: Any) -> Any:
    if start not in values:
        raise ValueError(f"{name}: the drop-down cannot start at {start!r}, which is not one of {values}.")
    return ipywidgets.Dropdown(options=values, value=start)


def _grid(name: str, numbers: np.ndarray, room: float) -> _Control:
    look = {"width": "5em", "margin": "1px"}
    fields = [
        ipywidgets.FloatText(value=float(number), continuous_update=True, layout=look)
        for number in numbers.flat
    ]
    columns = {"grid_template_columns": f"repeat({numbers.shape[1]}, max-content)"}
    aligned = {"width": f"{room}em", "display": "flex", "justify_content": "flex-end", "flex": "none"}
    parts = [ipywidgets.Label(_words(name), layout=aligned), ipywidgets.GridBox(fields, layout=columns)]
    return _Control(ipywidgets.HBox(parts, layout={"align_items": "center"}), fields, numbers.shape)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _together(boxes: Sequence[Any], picture: Any) -> Any:
    """Controls beside the picture, or above it where the page is too narrow for that."""
    flow = "column" if len(boxes) < MANY else "row wrap"
    controls = ipywidgets.Box(boxes, layout={"flex_flow": flow, "max_width": "100%"})
    return ipywidgets.Box([controls, picture], layout={"flex_flow": "row wrap", "align_items": "center"})


def present(widget: Any, without_kernel: str) -> None:
    """As IPython would, but with words in place of the widget's name in Python for who has no kernel."""
    display(widget._repr_mimebundle_() | {"text/plain": without_kernel}, raw=True)
