"""How a network's layers look: blocks for those that make a new shape, bars for those that keep it."""

from typing import Any

import numpy as np
from matplotlib.patches import Polygon

from fmnist_utils.drawings.canvas import INK, Canvas, Point, tint
from fmnist_utils.drawings.layers import Step


def solid(canvas: Canvas, middle: Point, step: Step) -> None:
    """A block: its front is a map's height and width, its depth the number of maps."""
    width, height, depth = step.size
    x, y = middle[0] - step.wide / 2, middle[1] - step.tall / 2
    look: dict[str, Any] = {"linewidth": 1.2, "zorder": 2, "joinstyle": "round"}
    canvas.rectangle((x, y), (width, height), tint(step.colour, 0.4), **look)
    behind = np.array([0.8 * depth, 0.6 * depth])
    edge = np.array([[x, y + height], [x + width, y + height], [x + width, y]])  # of the front, and its corner
    for end, share in ((edge[0], 0.65), (edge[2], 0.9)):  # the top, and the side
        face = [end, end + behind, edge[1] + behind, edge[1]]
        canvas.axis.add_patch(Polygon(face, facecolor=tint(step.colour, share), edgecolor=INK, **look))
    for share in np.linspace(0, 1, round(depth / 0.06) + 1)[1:-1]:  # the maps lie behind each other
        canvas.axis.plot(*(edge + share * behind).T, color="white", linewidth=0.7, zorder=2)


def gate(canvas: Canvas, place: Point, mark: Step, height: float = 0.62) -> None:
    """A bar for a layer that keeps the shape, in pieces for Dropout, low for ReLU."""
    name = mark.lines[0].split()[0]
    height *= 0.65 if name.startswith("ReLU") else 1.0
    pieces, filled = (4, 0.62) if name == "Dropout" else (1, 1.0)
    part = height / pieces
    for k in range(pieces):
        corner = (place[0] - 0.06, place[1] - height / 2 + k * part)
        canvas.rectangle(corner, (0.12, filled * part), mark.colour, linewidth=0.6)
