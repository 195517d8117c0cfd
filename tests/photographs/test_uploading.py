"""What becomes of photographs that arrive from the browser, and of files that are none, without a browser."""

import html

import ipywidgets
import numpy as np
import photo_kinds
import pytest
from PIL import Image

from fmnist_utils import explorers, photographs, plots
from fmnist_utils.photographs import uploading


class Upload:
    """The cell's widgets, what was drawn, and the browser's part in it."""

    def __init__(self, widget, calls):
        self.calls = calls
        self.sender, self.faults, self.shown = widget.children
        self.menu, frame, self.place = self.shown.children
        self.across, self.down = frame.children
        self._number = 0

    def choose(self, *files):
        """Several files, (name, content), chosen together: each arrives in pieces."""
        for place, (name, content) in enumerate(files):
            self.send(name, len(content), content, first=place == 0)

    def send(self, name, size, content, first=True, most=40_000):
        self._number += 1
        head = {"number": str(self._number), "name": name, "size": size, "first": first}
        starts = range(0, max(len(content), 1), most)
        for start in starts:
            said = head | {"last": start == starts[-1]}
            self.sender._handle_custom_msg(said, [memoryview(content[start : start + most])])

    def said(self):
        return [line.value for line in self.faults.children]

    def names(self):
        return [name for name, _ in self.menu.options]

    def is_shown(self):
        return self.shown.layout.display is None


@pytest.fixture
def upload(monkeypatch):
    """The widgets of a cell whose picture notes what it is given."""
    displayed, calls = [], []
    monkeypatch.setattr(explorers, "present", lambda widget, _: displayed.append(widget))

    def show(image, frame):
        calls.append((image, frame))
        if frame == (0, 0, 1, image.shape[0]):
            raise ValueError("<nothing> is left")
        figure, axis = plots.subplots(4, 2)
        axis.imshow(image)
        return figure

    uploading.upload(show)
    return Upload(displayed[0], calls)


@pytest.fixture(scope="module")
def garment(real):
    return real.train.images[0]


@pytest.fixture(scope="module")
def kinds(garment, tmp_path_factory):
    """A file of every kind, (name, content) by kind; folders and missing files do not come from a browser."""
    paths = photo_kinds.write_kinds(garment, tmp_path_factory.mktemp("kinds"))
    return {kind: (path.name, path.read_bytes()) for kind, path in paths.items() if path.is_file()}


def test_nothing_is_drawn_before_there_is_a_photograph(upload):
    assert not upload.calls
    assert not upload.is_shown()


def test_a_photograph_arrives_in_pieces_and_is_shown(upload, garment, kinds):
    upload.choose(kinds["plain"])
    ((image, frame),) = upload.calls
    assert np.array_equal(image, np.asarray(photo_kinds.photograph(garment)))
    assert frame is None
    assert upload.is_shown() and upload.names() == ["plain.png"]
    (picture,) = upload.place.children
    assert isinstance(picture, ipywidgets.Image) and bytes(picture.value).startswith(b"\x89PNG")


def test_a_made_photograph_and_its_frame_become_a_picture_like_fashion_mnists(upload, garment, tmp_path):
    made = photographs.made(garment, 0).image
    Image.fromarray(made).save(tmp_path / "made.png")
    upload.choose(("made.png", (tmp_path / "made.png").read_bytes()))
    upload.down.value = (5, 95)
    image, frame = upload.calls[-1]
    assert photographs.prepare(image, frame).shape == (28, 28)


@pytest.mark.parametrize("kind", photo_kinds.GOOD)
def test_every_kind_of_photograph_is_shown(upload, kinds, kind):
    upload.choose(kinds[kind])
    assert upload.calls[0][0].shape == (308, 308, 3) and not upload.said()


def test_what_is_no_photograph_gets_its_line_and_stops_no_other(upload, kinds):
    bad = [kind for kind in photo_kinds.BAD if kind in kinds]
    assert len(bad) >= 5
    upload.choose(*(kinds[kind] for kind in bad[:2]), kinds["JPEG"], *(kinds[kind] for kind in bad[2:]))
    assert upload.names() == ["JPEG.jpg"] and len(upload.calls) == 1
    for kind, line in zip(bad, upload.said(), strict=True):
        assert f"<b>{kinds[kind][0]}</b> was not read: it {photo_kinds.BAD[kind]}" in line


def test_a_new_choice_takes_the_lines_of_the_last_away(upload, kinds):
    upload.choose(kinds["empty"], kinds["text"])
    assert len(upload.said()) == 2
    upload.choose(kinds["plain"])
    assert not upload.said()


def test_of_a_file_that_is_too_large_the_size_is_said_and_nothing_sent(upload):
    upload.send("film.mov", 2_345_000_000, b"")
    assert "film.mov</b> was not read: it is too large: 2,345 MB, more than 100 MB" in upload.said()[0]


def test_of_those_chosen_together_the_first_that_can_be_read_is_drawn(upload, kinds):
    upload.choose(kinds["plain"])
    upload.choose(kinds["empty"], kinds["grey"], kinds["JPEG"])
    assert len(upload.calls) == 2
    assert upload.menu.label == "grey.png" and upload.names() == ["plain.png", "grey.png", "JPEG.jpg"]


def test_the_same_file_twice_is_two_photographs(upload, kinds):
    upload.choose(kinds["plain"], kinds["plain"])
    upload.choose(kinds["plain"])
    assert upload.names() == ["plain.png", "plain.png (2)", "plain.png (3)"]
    assert upload.menu.label == "plain.png (3)"


def test_a_frame_is_in_pixels_and_each_photograph_keeps_its_own(upload, kinds):
    upload.choose(kinds["plain"], kinds["grey"])
    upload.across.value = (25, 75)
    upload.down.value = (0, 50)
    upload.menu.value = 1
    upload.menu.value = 0
    frames = [frame for _, frame in upload.calls]
    assert frames == [None, (77, 0, 231, 308), (77, 0, 231, 154), None, (77, 0, 231, 154)]
    assert (upload.across.value, upload.down.value) == ((25, 75), (0, 50))
    upload.across.value = upload.down.value = (0, 100)
    assert upload.calls[-1][1] is None


@pytest.mark.parametrize(("percent", "pixels"), [((0, 0), (0, 1)), ((100, 100), (9, 10)), ((50, 50), (5, 6))])
def test_a_frame_is_never_empty(percent, pixels):
    assert uploading._within(percent, 10) == pixels
    assert uploading._within(percent, 1) == (0, 1)


def test_an_error_of_the_drawing_is_said_in_the_pictures_place(upload, kinds):
    upload.choose(kinds["plain"])
    (image,) = upload.place.children
    upload.across.value = (0, 0)
    assert "ValueError: &lt;nothing&gt; is left" in upload.place.children[0].value
    upload.across.value = (0, 90)
    assert upload.place.children == (image,)


def test_a_name_is_shown_as_letters_and_not_longer_than_a_line(upload, kinds):
    name = "<img src=x onerror=alert(1)>\n\u202egpj" + "x" * 300 + ".jpg"
    upload.choose((name, b""), (name, kinds["JPEG"][1]))
    (line,) = upload.said()
    assert "<img" not in line and html.escape("<img src=x") in line
    (label,) = upload.names()
    assert len(label) == uploading._LETTERS and label.isprintable() and label.endswith("xxx.jpg")


def test_there_is_an_end_to_what_is_kept(upload, kinds, monkeypatch):
    monkeypatch.setattr(uploading, "MOST", 2)
    upload.choose(*[kinds["plain"]] * 3)
    assert len(upload.names()) == 2 and "plain.png</b> was not read: it is one too many (2" in upload.said()[0]


def test_the_browser_is_told_when_a_file_has_been_dealt_with(upload, kinds, monkeypatch):
    told = []
    monkeypatch.setattr(type(upload.sender), "send", lambda _, content: told.append(content))
    upload.choose(kinds["plain"], kinds["empty"])
    assert told == [{"number": "1"}, {"number": "2"}]


def test_a_reader_without_a_kernel_is_told_so(capsys):
    uploading.upload(lambda image, frame: plots.subplots(4, 2)[0])
    assert uploading.WITHOUT_KERNEL in capsys.readouterr().out
