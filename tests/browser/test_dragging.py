"""In a real JupyterLab: a lesson's explorer, as it is published, follows the mouse and the keyboard."""

import explorer_cells
import pytest
from browsing import Explorer, run_all
from helpers import SMALL, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def explorer(chromium, jupyterlab):
    """A function that runs a lesson's explorer in JupyterLab."""
    pages = []

    def run(lesson):
        page = jupyterlab.open(chromium, explorer_cells.alone(lesson, **SMALL), f"{lesson}.ipynb")
        pages.append(page)
        run_all(page)
        return Explorer(page)

    yield run
    for page in pages:
        page.close()


def test_a_dragged_slider_draws_the_picture_again(explorer):
    rate = explorer("00_how_a_network_learns")
    first = rate.picture()
    rate.drag(0.9)
    second = rate.wait_for_another(first)
    rate.drag(0.1)
    rate.wait_for_another(second)


def test_a_typed_number_draws_the_picture_again(explorer):
    kernel = explorer("02_basic_cnn")
    first = kernel.picture()
    kernel.fields.nth(4).fill("5")
    second = kernel.wait_for_another(first)
    kernel.fields.nth(4).press("ArrowUp")
    kernel.wait_for_another(second)


def test_a_choice_and_a_drag_draw_the_picture_again(explorer):
    garment = explorer("04_augmentation")
    first = garment.picture()
    others = garment.menus.locator("option:not(:checked)")
    garment.menus.select_option(others.first.inner_text())
    second = garment.wait_for_another(first)
    garment.drag(0.7)
    garment.wait_for_another(second)


def test_after_a_quick_drag_the_picture_is_that_of_the_last_value(explorer):
    rate = explorer("00_how_a_network_learns")
    first = rate.picture()
    rate.drag(1.0)
    last = rate.wait_for_another(first)
    rate.drag(0.0)
    rate.wait_for_another(last)
    height, left, right = rate.hold()
    rate.page.mouse.move(right, height, steps=30)
    rate.page.mouse.up()
    wait_until(lambda: rate.picture() == last, 30)
