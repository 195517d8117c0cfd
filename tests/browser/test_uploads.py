"""In a real JupyterLab: photographs are chosen, framed, taken with the camera, and go nowhere else."""

import nbformat
import numpy as np
import photo_kinds
import pytest
from browsing import Explorer, run_all
from helpers import wait_until
from PIL import Image

pytestmark = pytest.mark.slow

CELL = """
from fmnist_utils import photographs, plots
from fmnist_utils.photographs import uploading

uploading.upload(lambda image, frame: plots.sequence(photographs.steps(image, frame), str(frame)))
"""
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


class Upload:
    """The only upload of a page."""

    def __init__(self, page):
        self.page = page
        self.buttons = page.locator(".photograph-upload")
        self.button("Choose photographs").wait_for()
        self.names = page.locator(".widget-dropdown option")
        self.asked = []
        page.on("request", lambda request: self.asked.append(request.url))

    def button(self, name):
        return self.buttons.get_by_role("button", name=name)

    def choose(self, *paths):
        with self.page.expect_file_chooser() as chooser:
            self.button("Choose photographs").click()
        chooser.value.set_files(paths)

    def wait_for(self, names):
        wait_until(lambda: self.names.all_text_contents() == names, 60)

    def wait_for_words(self, words):
        self.page.locator(".jp-OutputArea-output").get_by_text(words).wait_for()


@pytest.fixture
def upload(chromium, jupyterlab):
    """The upload in a new page."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=KERNEL)
    page = jupyterlab.open(chromium, notebook, "uploading.ipynb")
    run_all(page)
    yield Upload(page)
    page.close()


@pytest.fixture
def kinds(real, tmp_path):
    return photo_kinds.write_kinds(real.train.images[0], tmp_path)


def test_photographs_are_chosen_and_framed(upload, kinds, jupyterlab):
    upload.choose(kinds["JPEG"], kinds["cut off"], kinds["plain"])
    upload.wait_for(["JPEG.jpg", "plain.png"])
    upload.wait_for_words("was not read: it is damaged")
    shown = Explorer(upload.page)
    whole = shown.picture()
    shown.sliders.first.locator(".noUi-handle").first.press("PageUp")
    framed = shown.wait_for_another(whole)
    shown.menus.select_option("plain.png")
    shown.wait_for_another(framed)
    upload.choose(kinds["plain"])
    upload.wait_for(["JPEG.jpg", "plain.png", "plain.png\xa0(2)"])
    assert [url for url in upload.asked if not url.startswith((jupyterlab.address, "blob:", "data:"))] == []
    assert list(jupyterlab.folder.rglob("*.jpg")) + list(jupyterlab.folder.rglob("*.png")) == []


def test_more_arrives_than_the_server_takes_in_a_message(upload, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2_000, 2_000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png", compress_level=1)
    assert (tmp_path / "noise.png").stat().st_size > 10 * 2**20
    upload.choose(tmp_path / "noise.png")
    upload.wait_for(["noise.png"])


def test_a_picture_is_taken_with_the_camera(upload):
    upload.page.context.grant_permissions(["camera"])
    for names in (["from\xa0the\xa0camera"], ["from\xa0the\xa0camera", "from\xa0the\xa0camera\xa0(2)"]):
        upload.button("Use the camera").click()
        upload.button("Take the picture").click()
        upload.wait_for(names)
    upload.button("Use the camera").click()
    upload.button("Close the camera").click()
    upload.button("Close the camera").wait_for(state="hidden")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", "The browser was not allowed to use the camera"),  # nobody is there to be asked
        (
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})",
            "Browsers give no camera to a page at http://",
        ),
    ],
)
def test_where_there_is_no_camera_photographs_can_be_chosen(upload, kinds, before, said):
    upload.page.evaluate(before)
    upload.button("Use the camera").click()
    upload.wait_for_words(said)
    upload.wait_for_words("You can still choose photographs.")
    upload.choose(kinds["JPEG"])
    upload.wait_for(["JPEG.jpg"])
