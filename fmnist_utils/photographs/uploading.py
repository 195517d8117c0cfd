"""Photographs that a reader chooses or takes in JupyterLab, and a picture of each. No TensorFlow here.

ipywidgets' own upload sends everything that was chosen in one message, and Jupyter's server drops one of more
than 10 MB without a word: three photographs of a telephone. It has no camera, either.
"""

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from fmnist_utils import explorers
from fmnist_utils.photographs.preparing import Frame
from fmnist_utils.photographs.reading import PhotographError, read

WITHOUT_KERNEL = "Buttons for your own photographs and for the camera: run this cell in JupyterLab to use them."
MOST = 50  # photographs that are kept, with 3 MB of memory each
LARGEST = 100_000_000  # bytes of a file: a film that was chosen by mistake is not sent
HEIGHT = 560  # of a page, in its pixels: what a picture may take; the controls may be scrolled away
_PIECE = 2**21  # bytes in a message
_WHOLE = ((0, 100), (0, 100))  # percent of the width and of the height: no frame
_LETTERS = 40  # of a name that is shown
_STYLE = """
.photograph-upload { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; }
.photograph-upload .widget-button { width: auto; margin: 2px; }
.photograph-upload > div { flex-basis: 100%; }
.photograph-upload video { display: block; max-width: 100%; max-height: 280px; }
"""


def upload(show: Callable[[np.ndarray, Frame | None], Figure], /) -> None:
    """Show buttons for photographs and the camera, and what ``show`` draws of the photograph that is chosen.

    With the first photograph come a drop-down of all that were read, in which the first of those that were
    chosen together is selected, and two sliders for a frame, which each photograph keeps. A file that cannot
    be read gets a line that says why. Nothing is written to disk; what was read stays in the kernel's memory.

    Args:
        show: takes a photograph, uint8, shape (h, w, 3), its longer side at most ``reading.LONGEST``, and the
            frame as ``preparing.steps`` does: None until the reader moves a slider. It returns a Figure; an
            error is shown in words in its place.
    """
    album = _Album(show)
    explorers.present(ipywidgets.VBox([album.sender, album.faults, album.shown]), WITHOUT_KERNEL)


@dataclass
class _Photograph:
    """A photograph, and its frame in percent: from where to where of the width, and of the height."""

    name: str
    image: np.ndarray
    frame: tuple[tuple[int, int], tuple[int, int]] = _WHOLE

    def pixels(self) -> Frame | None:
        """The frame as ``preparing`` takes it, at least one pixel; None for the whole picture."""
        if self.frame == _WHOLE:
            return None
        height, width = self.image.shape[:2]
        (left, right), (top, bottom) = _within(self.frame[0], width), _within(self.frame[1], height)
        return left, top, right, bottom


def _within(percent: tuple[int, int], pixels: int) -> tuple[int, int]:
    """From where to where, both in pixels, the second excluded."""
    start = min(percent[0] * pixels // 100, pixels - 1)
    return start, max(start + 1, round(percent[1] * pixels / 100))


@dataclass
class _File:
    """A file from the browser; ``first`` is whether it is the first of those that were chosen together."""

    name: str
    size: int
    content: bytes
    first: bool

    def read(self) -> np.ndarray:
        """The photograph, as ``reading.read``; the content of one that is too large has not been sent."""
        if self.size > LARGEST:
            megabytes = [f"{size / 1_000_000:,.0f} MB" for size in (self.size, LARGEST)]
            raise PhotographError("the picture is too large: {}, more than {}".format(*megabytes))
        return read(self.content)


class _Sender(anywidget.AnyWidget):
    """The buttons and the camera in the browser; what is chosen there arrives here in pieces."""

    _esm = Path(__file__).with_suffix(".js")
    _css = _STYLE
    piece = traitlets.Int(_PIECE).tag(sync=True)
    largest = traitlets.Int(LARGEST).tag(sync=True)

    def __init__(self, arrived: Callable[[_File], None]) -> None:
        super().__init__()
        self._arrived = arrived
        self._pieces: dict[str, list[bytes]] = {}
        self.on_msg(self._receive)

    def _receive(self, _: Any, said: dict[str, Any], buffers: list[memoryview]) -> None:
        pieces = self._pieces.setdefault(said["number"], [])
        pieces += map(bytes, buffers)
        if said["last"]:
            del self._pieces[said["number"]]
            self._arrived(_File(said["name"], said["size"], b"".join(pieces), said["first"]))
            self.send({"number": said["number"]})


class _Album:
    """The photographs that were read, with the controls that choose one and frame it, and its picture."""

    def __init__(self, show: Callable[[np.ndarray, Frame | None], Figure]) -> None:
        self._show = show
        self._photographs: list[_Photograph] = []
        self._awaited = True  # whether the next that is read is to be shown
        self._quiet = False
        self._menu = ipywidgets.Dropdown(description="photograph", layout={"width": "26em"})
        self._across, self._down = _frame_slider("left, right"), _frame_slider("top, bottom")
        self._picture = explorers.Picture(self._draw, HEIGHT)
        self.sender = _Sender(self.add)
        self.faults = ipywidgets.VBox(layout={"max_height": "12em", "overflow": "auto"})
        frame = ipywidgets.Box([self._across, self._down], layout={"flex_flow": "row wrap"})
        self.shown = ipywidgets.VBox([self._menu, frame, self._picture.place], layout={"display": "none"})
        for control in (self._menu, self._across, self._down):
            control.observe(self._follow, names="value")

    def add(self, file: _File) -> None:
        """Keep a photograph or say why not; with the first of a choice, what was said of the last one goes."""
        if file.first:
            self._awaited, self.faults.children = True, ()
        try:
            image = file.read()
        except PhotographError as error:
            self._refuse(file.name, str(error).removeprefix("the picture "))
            return
        if len(self._photographs) == MOST:
            self._refuse(file.name, f"is one too many ({MOST} are kept until this cell is run again)")
            return
        self._photographs.append(_Photograph(self._label(file.name), image))
        chosen = len(self._photographs) - 1 if self._awaited else self._menu.value
        self._list(chosen)
        if self._awaited:
            self._awaited = False
            self._select(chosen)

    def _refuse(self, name: str, fault: str) -> None:
        """A line for a file that is not kept; ``fault`` is the rest of a sentence that begins with "it"."""
        said = f"<b>{html.escape(_short(name))}</b> was not read: it {html.escape(fault)}"
        self.faults.children += (ipywidgets.HTML(f"<div style='line-height: 1.4'>{said}</div>"),)

    def _label(self, name: str) -> str:
        """The name in the drop-down, numbered if another photograph has it."""
        taken = {photograph.name for photograph in self._photographs}
        numbered = (_short(name) + (f" ({number})" if number > 1 else "") for number in range(1, MOST + 1))
        return next(label for label in numbered if label not in taken)

    def _list(self, chosen: int) -> None:
        names = [(photograph.name, number) for number, photograph in enumerate(self._photographs)]
        with self._quietly(), self._menu.hold_sync():
            self._menu.options = names
            self._menu.value = chosen

    def _select(self, number: int) -> None:
        """Show a photograph with the frame that it had when it was left."""
        with self._quietly():
            self._across.value, self._down.value = self._photographs[number].frame
        self._picture.follow()
        self.shown.layout.display = None

    def _follow(self, change: Any) -> None:
        if self._quiet:
            return
        if change.owner is self._menu:
            self._select(change.new)
        else:
            self._photographs[self._menu.value].frame = self._across.value, self._down.value
            self._picture.follow()

    def _draw(self) -> Figure:
        photograph = self._photographs[self._menu.value]
        return self._show(photograph.image, photograph.pixels())

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Controls are set by the program: nothing is drawn."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False


def _frame_slider(name: str) -> Any:
    """Drawn anew when it is let go: networks are asked about each frame."""
    return ipywidgets.IntRangeSlider(
        value=(0, 100),
        min=0,
        max=100,
        description=f"{name} (%)",
        continuous_update=False,
        style={"description_width": "9em"},
        layout={"width": "26em"},
    )


def _short(name: str) -> str:
    """A file's name in one line, its middle left out if it is long, its ending kept."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return plain if len(plain) <= _LETTERS else f"{plain[: _LETTERS - 13]}…{plain[-12:]}"
