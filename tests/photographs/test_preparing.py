"""Garments are found on made backgrounds, where the truth is known, and come out as they went in."""

import cv2
import numpy as np
import pytest
from PIL import Image

from fmnist_utils.photographs import preparing
from fmnist_utils.photographs.reading import PhotographError

HEIGHT, WIDTH, SIDE = 320, 260, 224  # of a made photograph, and of the garment in it
TOP, LEFT = 60, 20
CLOTHS = {"dark blue": (40, 50, 110), "red": (190, 40, 50), "white": (240, 240, 235), "black": (25, 25, 28)}


def plain(rng):
    return np.full((HEIGHT, WIDTH, 3), (170, 150, 120), float)


def shaded(rng):
    """A wall that is darker on one side."""
    return plain(rng) * np.linspace(0.75, 1.1, WIDTH)[:, None]


def carpet(rng):
    return plain(rng) + rng.normal(0, 10, (HEIGHT, WIDTH, 1))


def boards(rng):
    """A wooden floor."""
    tones = rng.uniform(0.85, 1.1, HEIGHT // 40).repeat(40)
    return plain(rng) * tones[:, None, None]


BACKGROUNDS = {"plain": plain, "shaded": shaded, "carpet": carpet, "boards": boards}


def enlarged(image):
    """Where a garment of Fashion-MNIST is when it is ``SIDE`` pixels high, and how bright, 0 to 1."""
    large = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return large > 25, large / 255


def laid(image, cloth, background):
    """A photograph of a garment, and the truth of its mask. Zalando's bright is dark cloth, as in the data."""
    photograph = background(np.random.default_rng(0))
    inside, bright = enlarged(image)
    truth = np.zeros((HEIGHT, WIDTH), bool)
    truth[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = inside
    shade = 1.1 - 0.3 * bright[inside]
    photograph[truth] = np.array(CLOTHS[cloth]) * shade[:, None]
    return np.clip(photograph, 0, 255).astype(np.uint8), truth


def overlap(found, truth):
    """Intersection over union."""
    return (found & truth).sum() / (found | truth).sum()


@pytest.fixture(scope="module")
def garments(real):
    """One of each class."""
    return [real.train.images[real.train.labels == label][0] for label in range(10)]


@pytest.mark.parametrize("cloth", CLOTHS)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_garment_is_found(background, cloth, garments):
    overlaps = []
    for garment in garments:
        photograph, truth = laid(garment, cloth, BACKGROUNDS[background])
        found = preparing.find(photograph)
        assert found.shape == truth.shape and found.dtype == bool
        overlaps.append(overlap(found, truth))
    assert np.mean(overlaps) > 0.9 and min(overlaps) > 0.75, np.round(overlaps, 2)


def test_a_frame_leaves_out_what_lies_beside_the_garment(garments):
    photograph, truth = laid(garments[0], "red", plain)
    photograph[10:50, 20:240] = (30, 90, 40)  # a cushion
    alone = preparing.find(photograph)
    framed = preparing.find(photograph, (LEFT, TOP, LEFT + SIDE, TOP + SIDE))
    assert alone[30, 130] and not framed[:TOP].any()
    assert overlap(framed, truth) > 0.85 > overlap(alone, truth)


@pytest.mark.parametrize("frame", [(0, 0, WIDTH, HEIGHT), (1, 1, WIDTH, HEIGHT), (100, 100, 101, 101)])
def test_a_frame_may_be_the_whole_picture_or_a_pixel(frame, garments):
    photograph, _ = laid(garments[0], "red", plain)
    left, top, right, bottom = frame
    found = preparing.find(photograph, frame)
    assert found.any() and not found[: max(0, top - 3)].any() and not found[:, : max(0, left - 3)].any()
    assert preparing.prepare(photograph, frame).shape == (28, 28)


@pytest.mark.parametrize(
    "frame", [(-1, 0, 5, 5), (5, 0, 5, 9), (9, 0, 5, 9), (0, 0, WIDTH + 1, 9), (0, 0, 9, HEIGHT + 1)]
)
def test_a_frame_outside_of_the_picture_is_refused(frame, garments):
    photograph, _ = laid(garments[0], "red", plain)
    with pytest.raises(ValueError, match=f"expected left, top, right, bottom within {WIDTH} x {HEIGHT}"):
        preparing.prepare(photograph, frame)


def test_each_step_is_a_picture_and_the_last_is_what_is_prepared(garments):
    photograph, _ = laid(garments[3], "dark blue", carpet)
    made = preparing.steps(photograph)
    names = ["photograph", "distance", "garment", "crop", "grey", "negated", "fitted", "sharpened"]
    assert list(made) == names
    assert all(step.dtype == np.uint8 for step in made.values())
    assert made["photograph"].shape == made["garment"].shape == (*made["distance"].shape, 3)
    assert made["grey"].shape == made["negated"].shape == made["crop"].shape[:2]
    assert np.array_equal(made["sharpened"], preparing.prepare(photograph))


def test_dark_cloth_is_bright_and_the_background_empty(garments):
    dark, light = (preparing.prepare(laid(garments[0], cloth, plain)[0]) for cloth in ("black", "white"))
    assert dark[14, 14] > 180 > 60 > light[14, 14]
    assert not dark[:2, :2].any() and not dark[-2:, -2:].any()


@pytest.mark.parametrize("label", [0, 1, 3])
def test_a_garment_comes_out_in_its_shape(label, garments):
    photograph, truth = laid(garments[label], "dark blue", plain)
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    box = truth[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    height, width = 27, round(27 * min(0.9, box.shape[1] / box.shape[0]))
    expected = cv2.resize(255 * box, (width, height), interpolation=cv2.INTER_AREA) > 127
    found = preparing.prepare(photograph)[:27, (28 - width) // 2 :][:, :width] > 90
    assert overlap(found, expected) > 0.85


def test_the_garment_is_centred_and_its_longer_edge_fills_the_picture():
    photograph = np.full((100, 300, 3), 255, np.uint8)
    photograph[10:40, 100:280] = 0
    rows, columns = (np.flatnonzero(preparing.steps(photograph)["fitted"].any(axis)) for axis in (1, 0))
    assert len(columns) == 27 and len(rows) == 5  # 27 / 6, rounded as Python does, may gain a soft edge
    assert abs(rows.mean() - 13.5) <= 0.5 and abs(columns.mean() - 13.5) <= 0.5


def test_spread_sleeves_are_drawn_in_but_shoes_are_not():
    def width(height, wide):
        photograph = np.full((200, 300, 3), 255, np.uint8)
        photograph[50 : 50 + height, 40 : 40 + wide] = 0
        fitted = preparing.steps(photograph)["fitted"]
        return fitted.any(0).sum() / fitted.any(1).sum()

    assert width(100, 110) == pytest.approx(0.9, abs=0.05)
    assert width(100, 50) == pytest.approx(0.5, abs=0.05)
    assert width(100, 200) == pytest.approx(2, abs=0.15)


def test_both_shoes_of_a_pair_are_kept_and_crumbs_are_not():
    photograph = np.full((128, 128, 3), 230, np.uint8)
    photograph[40:90, 20:50] = photograph[40:90, 70:100] = 30
    photograph[110:114, 60:64] = 30
    found = preparing.find(photograph)
    assert found[60, 30] and found[60, 80] and not found[112, 62]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (28, 28), (400, 1), (3000, 20)])
def test_where_nothing_differs_the_whole_picture_is_the_garment(shape):
    image = np.full((*shape, 3), 90, np.uint8)
    assert preparing.find(image).all()
    assert preparing.prepare(image).max() > 100


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 5), (40, 3), (1, 700)])
def test_noise_of_any_size_is_prepared(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert preparing.find(image).shape == shape
    assert preparing.prepare(image).shape == (28, 28)


def test_cloth_that_fills_the_picture_does_not_fail():
    cloth = np.random.default_rng(0).integers(90, 110, (300, 200, 3), np.uint8)
    assert preparing.prepare(cloth).any()


def test_a_file_is_prepared_as_the_array_that_it_holds(garments, tmp_path):
    photograph, _ = laid(garments[4], "red", boards)
    path = tmp_path / "coat.png"
    Image.fromarray(photograph).save(path)
    for source in (path, path.read_bytes(), Image.fromarray(photograph)):
        assert np.array_equal(preparing.prepare(source), preparing.prepare(photograph))


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(PhotographError, match="missing"):
        preparing.prepare(tmp_path / "none.jpg")


def test_arrays_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="float64; expected uint8"):
        preparing.prepare(np.zeros((9, 9, 3)))
    for shape in ((9, 9), (9, 9, 4), (0, 9, 3)):
        with pytest.raises(ValueError, match="expected .h, w, 3."):
            preparing.find(np.zeros(shape, np.uint8))
