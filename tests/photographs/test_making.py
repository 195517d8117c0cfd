"""Made photographs: repeatable, true to their masks, and each factor changes what it says and nothing else."""

import cv2
import numpy as np
import pytest

from fmnist_utils.photographs.making import BACKGROUNDS, SIDE, made

EVEN = {"light": 0.0}
FACTORS = [
    *(
        {"size": 0.4},
        {"colour": 1.0},
        {"background": "planks"},
        {"light": 0.8},
        {"angle": 40.0},
        {"turn": 30.0},
    ),
]


def shirt(value: int = 180) -> np.ndarray:
    """A body and two sleeves, 24 pixels high and 20 wide."""
    image = np.zeros((28, 28), np.uint8)
    image[2:26, 8:20] = image[4:10, 4:24] = value
    return image


def lightness(photograph: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(photograph.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 0]


def chroma(photograph: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(photograph.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return np.hypot(lab[..., 1], lab[..., 2])


def edges(mask: np.ndarray) -> tuple[int, int]:
    """Height and width of the box around what is marked."""
    return int(np.ptp(np.flatnonzero(mask.any(1)))) + 1, int(np.ptp(np.flatnonzero(mask.any(0)))) + 1


def well_inside(mask: np.ndarray) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0


def assert_alike(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> None:
    """Equal but for the rounding of a pixel."""
    assert where.any()
    assert np.abs(one.astype(int) - other)[where].max() <= 1


# ---- What is made -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factors", [{}, *FACTORS])
def test_shapes_and_types_whatever_is_asked(factors):
    photograph = made(shirt(), 0, **factors)
    assert photograph.image.shape == (SIDE, SIDE, 3) and photograph.image.dtype == np.uint8
    assert photograph.mask.shape == (SIDE, SIDE) and photograph.mask.dtype == bool
    assert photograph.light.shape == (SIDE, SIDE) and photograph.light.dtype == np.float32
    assert photograph.corners.shape == (4, 2) and photograph.corners.dtype == np.float32
    assert photograph.light.min() > 0 and photograph.light.max() <= 1


@pytest.mark.parametrize("factors", [{}, *FACTORS])
def test_the_same_seed_makes_the_same_and_another_seed_another(factors):
    one, again, other = (made(shirt(), seed, **factors) for seed in (3, 3, 4))
    for name in ("image", "mask", "light", "corners"):
        assert np.array_equal(getattr(one, name), getattr(again, name)), name
    assert not np.array_equal(one.image, other.image)


def test_the_picture_that_was_given_stays_as_it_is():
    image = shirt()
    made(image, 0)
    assert np.array_equal(image, shirt())


@pytest.mark.parametrize("factors", [{}, *FACTORS])
def test_the_mask_is_where_the_garment_is(factors):
    """Black cloth on something lighter: what is dark, once the light is made even."""
    photograph = made(shirt(255), 1, **{**factors, "colour": 0.0})
    even = lightness(photograph.image / photograph.light[..., np.newaxis])
    dark = cv2.GaussianBlur(even, (0, 0), 1) < 30
    assert (dark & photograph.mask).sum() / (dark | photograph.mask).sum() > 0.93


def test_what_is_bright_in_the_data_set_is_dark_cloth():
    steps = [made(shirt(value), 0, colour=0.0, **EVEN) for value in (40, 120, 200)]
    means = [lightness(photograph.image)[photograph.mask].mean() for photograph in steps]
    assert (np.diff(means) < -20).all()


def test_no_pixel_of_the_data_set_is_seen():
    """The edge of a disc stays within a pixel of the data set of the circle that it was."""
    down, right = np.indices((28, 28)) - 13.5
    disc = np.clip(10.5 - np.hypot(down, right), 0, 1) * 200
    mask = made(disc.astype(np.uint8), 0, size=0.9).mask
    radii = np.hypot(*(np.indices(mask.shape) - (SIDE - 1) / 2))
    pixel = 0.9 * SIDE / 20
    assert radii[~mask].min() > radii[mask].max() - pixel


def test_a_hole_stays_a_hole_and_a_spot_is_cloth():
    image = shirt()
    image[12:20, 10:18] = 0
    assert not made(image, 0).mask[SIDE // 2 + 16, SIDE // 2]
    image = shirt()
    image[14:16, 13:15] = 0
    assert made(image, 0).mask[SIDE // 2, SIDE // 2]


# ---- One factor at a time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.2, 0.5, 1.0])
def test_the_longer_edge_is_the_share_that_was_asked(size):
    assert max(edges(made(shirt(), 0, size=size).mask)) == pytest.approx(
        size * SIDE, abs=0.04 * size * SIDE + 1
    )
    lying = made(np.rot90(shirt()).copy(), 0, size=size)
    assert edges(lying.mask)[1] == pytest.approx(size * SIDE, abs=0.04 * size * SIDE + 1)


def test_size_changes_nothing_behind_the_garment():
    small, large = (made(shirt(), 5, size=size, **EVEN) for size in (0.3, 0.6))
    around = ~(cv2.dilate((small.mask | large.mask).astype(np.uint8), np.ones((9, 9))) > 0)
    assert_alike(small.image, large.image, around)


def test_colour_changes_the_cloths_colour_alone():
    grey, medium, strong = (made(shirt(130), 2, colour=colour, **EVEN) for colour in (0.0, 0.5, 1.0))
    cloth = well_inside(grey.mask)
    colours = [chroma(photograph.image)[cloth].mean() for photograph in (grey, medium, strong)]
    assert colours[0] < 3 and (np.diff(colours) > 15).all()
    assert np.array_equal(grey.mask, strong.mask)
    means = [lightness(photograph.image)[cloth].mean() for photograph in (grey, strong)]
    assert means[0] == pytest.approx(means[1], abs=3)
    assert_alike(grey.image, strong.image, cv2.dilate(grey.mask.astype(np.uint8), np.ones((9, 9))) == 0)


@pytest.mark.parametrize("background", [name for name in BACKGROUNDS if name != "plain"])
def test_the_background_changes_behind_the_garment_alone(background):
    plain, other = made(shirt(), 2), made(shirt(), 2, background=background)
    for name in ("mask", "light", "corners"):
        assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert_alike(plain.image, other.image, well_inside(plain.mask))
    assert np.abs(plain.image.astype(int) - other.image)[~plain.mask].mean() > 5


def test_light_divided_out_leaves_an_evenly_lit_photograph():
    even, uneven = (made(shirt(), 2, light=light) for light in (0.0, 1.0))
    assert np.array_equal(even.light, np.ones_like(even.light))
    assert np.array_equal(even.mask, uneven.mask)
    restored = uneven.image / uneven.light[..., np.newaxis]
    assert np.abs(restored - even.image).mean() < 3 < np.abs(uneven.image.astype(int) - even.image).mean()


def test_the_more_uneven_the_light_the_darker_the_far_side_and_the_shadow():
    darkest = [made(shirt(), 2, light=light).light.min() for light in (0.0, 0.3, 0.6, 1.0)]
    assert (np.diff(darkest) < -0.1).all()
    lit = made(shirt(), 2, light=1.0)
    beside = (cv2.dilate(lit.mask.astype(np.uint8), np.ones((7, 7))) > 0) & ~lit.mask
    without = np.exp(cv2.GaussianBlur(np.log(lit.light), (0, 0), 40))  # as the light would be without a shadow
    assert (lit.light / without)[beside].min() < 0.75


def test_a_camera_that_looks_straight_sees_a_square_and_one_aslant_does_not():
    corners = {angle: made(shirt(), 2, angle=angle).corners for angle in (0.0, 20.0, 40.0)}

    def unevenness(corners):
        sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
        return np.ptp(sides) / sides.mean()

    assert unevenness(corners[0.0]) == pytest.approx(0, abs=1e-5)
    assert 0.02 < unevenness(corners[20.0]) < unevenness(corners[40.0])


@pytest.mark.parametrize("factors", [{"angle": 45.0}, {"turn": -30.0}, {"size": 0.4}])
def test_the_corners_undo_how_the_garment_is_seen(factors):
    plain, other = made(shirt(), 2), made(shirt(), 2, **factors)
    back = cv2.getPerspectiveTransform(other.corners, plain.corners)
    mask = cv2.warpPerspective(other.mask.astype(np.uint8), back, (SIDE, SIDE)) > 0
    assert (mask & plain.mask).sum() / (mask | plain.mask).sum() > 0.95


def test_a_turn_is_counter_clockwise_and_leaves_light_and_background():
    plain, turned = (made(shirt(), 2, turn=turn, **EVEN) for turn in (0.0, 90.0))
    assert np.array_equal(turned.mask, np.rot90(plain.mask))
    around = ~(cv2.dilate((plain.mask | turned.mask).astype(np.uint8), np.ones((9, 9))) > 0)
    assert_alike(plain.image, turned.image, around)


# ---- Textures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_each_texture_is_uneven_and_differs_by_seed(background):
    one, again, other = (BACKGROUNDS[background](200, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.shape == (200, 200, 3) and one.dtype == np.float32
    assert one.min() > 0 and one.max() < 256
    assert np.array_equal(one, again)
    assert one.std(axis=(0, 1)).min() > 0.5 and np.abs(one - other).mean() > 0.5


def test_a_painted_wall_is_the_evenest():
    unevenness = {
        name: texture(200, np.random.default_rng(0)).std(axis=(0, 1)).mean()
        for name, texture in BACKGROUNDS.items()
    }
    assert all(unevenness[name] > 3 * unevenness["plain"] for name in BACKGROUNDS if name != "plain")


# ---- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (shirt().astype(np.float32), "image is float32 of shape"),
        (shirt()[np.newaxis], r"of shape \(1, 28, 28\); expected uint8 of shape \(28, 28\)"),
        (np.zeros((28, 28), np.uint8), "no garment"),
        (np.eye(28, dtype=np.uint8) * 200, "nothing of more than 8 pixels is above 12"),
    ],
)
def test_an_image_that_is_none_of_the_data_sets_is_refused(image, words):
    with pytest.raises(ValueError, match=words):
        made(image, 0)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"size": 0.0}, "size is 0.0; expected 0.1 to 1"),
        ({"colour": 1.5}, "colour is 1.5; expected 0 to 1"),
        ({"light": -1.0}, "light is -1.0"),
        ({"angle": 80.0}, "angle is 80.0; expected 0 to 60"),
        ({"size": float("nan")}, "size is nan"),
        ({"background": "grass"}, "background is 'grass'; expected one of plain, plaster"),
    ],
)
def test_a_factor_outside_its_range_is_refused(factors, words):
    with pytest.raises(ValueError, match=words):
        made(shirt(), 0, **factors)
