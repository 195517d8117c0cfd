"""What all drawings are made of: an empty canvas, its colours, and texts, arrows, discs and boxes on it.

Lengths are inches of a screen ``WIDTH`` wide, on which letters of ``LETTER`` points can be read from the last
row. Points are (x, y), counted from the lower left corner.
"""

import math
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath

from fmnist_utils import plots

WIDTH = 12.8
LETTER = 15.0
LINE = 1.25 * LETTER / 72  # from one line of text to the next
INK, GREY = "#262626", "#999999"
BLUE, YELLOW, BLACK, BROWN, SKY, GREEN, PURPLE, *_ = plots.COLOURS
SIGNED = LinearSegmentedColormap.from_list("signed", [BROWN, "white", BLUE])  # below zero, zero, above
HALO = [withStroke(linewidth=5, foreground="white")]  # around lines that cross a picture
# What makes a text on an arrow readable.
ON_WHITE: dict[str, Any] = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2}}

Point = tuple[float, float]


class Canvas:
    """An empty figure of so many inches; ``axis`` is its one pair of axes, which counts in inches."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = plt.figure(figsize=(width, height))
        self.axis = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        self.axis.axis("off")

    def text(self, x: float, y: float, words: str, size: float = LETTER, **look: Any) -> None:
        """Words around a point; ``look`` is what Matplotlib's ``Text`` takes."""
        usual = {"ha": "center", "va": "center", "color": INK, "zorder": 5}
        self.axis.text(x, y, words, fontsize=size, **{**usual, **look})

    def arrow(self, start: Point, end: Point, **look: Any) -> None:
        usual = {"arrowstyle": "-|>", "mutation_scale": 16, "color": INK, "linewidth": 1.8, "zorder": 1}
        self.axis.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **{**usual, **look}))

    def arrow_into(self, start: Point, centre: Point, radius: float = 0.45) -> None:
        """An arrow towards the centre of a circle that ends on the circle."""
        x, y = start[0] - centre[0], start[1] - centre[1]
        share = radius / math.hypot(x, y)
        self.arrow(start, (centre[0] + share * x, centre[1] + share * y))

    def way_round(self, start: Point, end: Point, high: float) -> None:
        """From a point up to a height, across, and down to another point."""
        x, y = [start[0], start[0], end[0]], [start[1], high, high]
        self.axis.plot(x, y, color=BROWN, linewidth=2.5, zorder=1)
        self.arrow((end[0], high), end, color=BROWN, linewidth=2.5)

    def dot(self, x: float, y: float, size: float) -> None:
        """Where a way round leaves."""
        self.axis.plot(x, y, "o", color=BROWN, markersize=size, zorder=4)

    def disc(self, centre: Point, radii: Point, words: str, colour: str, size: float = LETTER) -> None:
        look: dict[str, Any] = {"facecolor": tint(colour, 0.4), "edgecolor": INK, "linewidth": 1.8, "zorder": 3}
        self.axis.add_patch(Ellipse(centre, 2 * radii[0], 2 * radii[1], **look))
        self.text(*centre, words, size)

    def plus(self, centre: Point, radius: float = 0.42, size: float = 26) -> None:
        self.disc(centre, (radius, radius), "+", "white", size)

    def rectangle(self, corner: Point, size: Point, colour: Any, **look: Any) -> None:
        """``corner`` is the lower left; of the colour ``"none"`` it is a frame."""
        usual = {"facecolor": colour, "edgecolor": INK, "zorder": 3}
        self.axis.add_patch(Rectangle(corner, *size, **{**usual, **look}))

    def box(
        self,
        centre: Point,
        size: Point,
        words: str,
        colour: Any,
        letters: float = LETTER,
        share: float = 0.35,
    ) -> None:
        """Words in a box with round corners, whose colour is mixed with white: see ``tint``."""
        face = tint(colour, share)
        corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
        look: dict[str, Any] = {"facecolor": face, "edgecolor": INK, "linewidth": 1.5, "zorder": 3}
        self.axis.add_patch(FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.08", **look))
        self.text(*centre, words, letters, color=ink_on(face))


@cache
def text_width(words: str, weight: str = "normal") -> float:
    """How wide a line of text is, in inches."""
    return float(TextPath((0, 0), words, LETTER, prop=FontProperties(weight=weight)).get_extents().width) / 72


def tint(colour: Any, share: float) -> tuple[float, float, float]:
    """A colour mixed with white, of which ``share`` is the colour."""
    red, green, blue = (1 - share * (1 - part) for part in to_rgb(colour))
    return red, green, blue


def ink_on(colour: Any) -> str:
    """The colour of letters that can be read on another colour."""
    red, green, blue = to_rgb(colour)
    return "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else INK
