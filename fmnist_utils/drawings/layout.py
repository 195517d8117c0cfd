"""Where a network's layers are drawn: sizes of blocks, places in a row, one row or two."""

from dataclasses import dataclass, field
from typing import NamedTuple

from fmnist_utils.drawings.canvas import LINE, WIDTH
from fmnist_utils.drawings.layers import Step

ROOM = {"mark": 0.12, "plus": 0.34, "fork": 0.08}  # inches that each takes on the arrow
_SPACE = 0.09  # between them


@dataclass
class Stop:
    """A block, what lies on the arrow after it, and the place of its middle."""

    block: Step
    marks: list[Step] = field(default_factory=list)
    x: float = 0.0

    @property
    def arrow(self) -> float:
        """How long the arrow after the block must be."""
        return 0.36 + sum(ROOM[mark.kind] + _SPACE for mark in self.marks)

    @property
    def left(self) -> float:
        return self.x - self.block.wide / 2

    @property
    def right(self) -> float:
        return self.x + self.block.wide / 2


class Levels(NamedTuple):
    """Inches below a row's top: end of labels, ways round, middle of blocks, shapes, the row's end."""

    labels: float
    ways: float
    middle: float
    shapes: float
    end: float


def stops(steps: list[Step]) -> list[Stop]:
    """The blocks with their sizes, and what lies between them."""
    largest = max((max(step.shape[:2]) for step in steps if len(step.shape) > 1), default=1)
    longest = max((step.shape[0] for step in steps if len(step.shape) == 1), default=1)
    sources = {step.source for step in steps if step.kind == "plus"}
    found: list[Stop] = []
    for i, step in enumerate(steps):
        if step.kind == "block":
            step.size = _size(step.shape, largest, longest)
            found.append(Stop(step))
        else:
            found[-1].marks.append(step)
        if i in sources:
            found[-1].marks.append(Step("fork", step.shape))
    return found


def _size(shape: tuple[int, ...], largest: int, longest: int) -> tuple[float, float, float]:
    """Width, height and depth in inches, on a scale on which small blocks are seen beside large ones."""
    if len(shape) == 1:
        return 0.16, 1.6 * (shape[0] / max(longest, 500)) ** 0.35, 0.1
    height, width, channels = (*shape, 1)[:3]
    return 1.15 * (width / largest) ** 0.6, 1.15 * (height / largest) ** 0.6, 0.5 * (channels / 128) ** 0.6


def place(row: list[Stop], spread: float = 0.0) -> float:
    """Give the blocks of a row their places, ``spread`` inches further apart than needed; the row's width."""
    first, last = row[0], row[-1]
    x = first.x = 0.2 + max(first.block.wide, first.block.text) / 2
    for before, stop in zip(row, row[1:], strict=False):
        texts = (before.block.text + stop.block.text) / 2 + 0.2
        x += spread + max(texts, (before.block.wide + stop.block.wide) / 2 + before.arrow)
        stop.x = x
    return x + max(last.block.text / 2, last.block.wide / 2 + (last.arrow if last.marks else 0.0)) + 0.2


def centre(row: list[Stop], width: float) -> None:
    """Place a row in the middle of a canvas, its blocks at most 0.6 inches further apart than needed."""
    spread = min(0.6, (width - place(row)) / len(row))
    shift = (width - place(row, spread)) / 2
    for stop in row:
        stop.x += shift


def rows(found: list[Stop]) -> list[list[Stop]]:
    """One row where the screen is wide enough, or two; no way round is cut."""
    if place(found) <= WIDTH:
        return [found]
    opened, breaks = 0, []
    for i, stop in enumerate(found[:-1], start=1):
        opened += sum({"fork": 1, "plus": -1}.get(mark.kind, 0) for mark in stop.marks)
        breaks += [] if opened else [i]
    best = min(breaks, key=lambda i: max(place(found[:i]), place(found[i:])), default=len(found))
    return [row for row in (found[:best], found[best:]) if row]


def levels(row: list[Stop]) -> Levels:
    labels = LINE * max(len(stop.block.lines) for stop in row)
    ways = 0.3 if any(mark.kind == "plus" for stop in row for mark in stop.marks) else 0.0
    blocks = max(stop.block.tall for stop in row)
    middle = labels + ways + 0.12 + blocks / 2
    shapes = middle + blocks / 2 + 0.1 + LINE / 2
    return Levels(labels, labels + 0.2, middle, shapes, shapes + LINE / 2)
