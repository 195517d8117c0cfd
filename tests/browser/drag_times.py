"""How long it takes from a drag to the picture, for each explorer of the lessons; nothing is asserted.

``python -m pytest tests/browser/drag_times.py -s`` says for each, in milliseconds, the median and the largest
of twenty: from the browser's event until the next picture is painted. Sliders are dragged from place to place;
where there is none, numbers are typed or menu entries chosen. Then a slider is dragged through thirty places as
fast as the browser takes it: how many pictures come, and how long after the last place the last of them.
``FMNIST_RUNS_DIR`` may name a store with the lessons' trainings; without it they are short.
"""

import os
import statistics
import time
from contextlib import suppress

import explorer_cells
import pytest
from browsing import Explorer, run_all
from helpers import SMALL
from playwright.sync_api import TimeoutError

WATCH = """image => {
    window.acted = 0; window.shown = [];
    for (const kind of ["mousemove", "pointermove", "input", "change"])
        window.addEventListener(kind, event => { window.acted = event.timeStamp; }, true);
    const painted = () => requestAnimationFrame(() => setTimeout(() => window.shown.push(performance.now())));
    image.addEventListener("load", painted);
}"""


@pytest.mark.parametrize("lesson", explorer_cells.lessons())
def test_times(lesson, chromium, jupyterlab, capsys):
    values = {} if "FMNIST_RUNS_DIR" in os.environ else SMALL
    page = jupyterlab.open(chromium, explorer_cells.alone(lesson, **values), f"{lesson}.ipynb")
    run_all(page)
    explorer = Explorer(page)
    explorer.image.evaluate(WATCH)
    taken = [one for turn in range(20) if (one := _timed(explorer, turn)) is not None]
    said = f"{lesson}: median {statistics.median(taken):.0f}, largest {max(taken):.0f} of {len(taken)}"
    if explorer.sliders.count():
        said += "; quickly through 30: {} pictures, the last after {:.0f}".format(*_quickly(explorer))
    with capsys.disabled():
        print(f"\n{said}")
    page.close()


def _timed(explorer: Explorer, turn: int) -> float | None:
    """Milliseconds from one change to its picture; None where the picture does not change."""
    explorer.page.evaluate("window.shown = []")
    _change(explorer, turn)
    with suppress(TimeoutError):
        explorer.page.wait_for_function("window.shown.length", timeout=3000)
        return explorer.page.evaluate("window.shown[0] - window.acted")
    return None


def _change(explorer: Explorer, turn: int) -> None:
    if explorer.sliders.count():
        if not turn:
            explorer.way = explorer.hold()
        height, left, right = explorer.way
        explorer.page.mouse.move(left + (0.1 + 0.04 * (turn * 7 % 20)) * (right - left), height)
    elif explorer.fields.count():
        explorer.fields.nth(turn % explorer.fields.count()).fill(str(1 + turn))
    else:
        explorer.menus.nth(turn % 2).select_option(index=turn % 10)


def _quickly(explorer: Explorer) -> tuple[int, float]:
    """How many pictures came, and milliseconds from the last place to the last picture."""
    height, left, right = explorer.way
    explorer.page.mouse.move(left, height)
    time.sleep(2)
    explorer.page.evaluate("window.shown = []")
    explorer.page.mouse.move(right, height, steps=30)
    time.sleep(5)
    return tuple(explorer.page.evaluate("[window.shown.length, window.shown.at(-1) - window.acted]"))
