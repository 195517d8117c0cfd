"""Each transform agrees with Keras's layer of the same name, and their composition with all three in turn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils import augmentation, data


@pytest.fixture
def pixels(small_split):
    return tf.constant(data.rescale(small_split.images[:6]))


def ours(pixels, angle=0.0, down=0.0, right=0.0, taller=0.0, wider=0.0, fill_mode="nearest"):
    n = len(pixels)
    values = [np.full(n, v, "float32") for v in (angle, down, right, 1 + taller, 1 + wider)]
    return augmentation.resample(pixels, augmentation.affine((28, 28), *values), fill_mode)


def keras_rotation(degrees, fill_mode):
    return keras.layers.RandomRotation((degrees / 360, degrees / 360), fill_mode=fill_mode)


def keras_translation(down, right, fill_mode):
    return keras.layers.RandomTranslation((down, down), (right, right), fill_mode=fill_mode)


def keras_zoom(taller, wider, fill_mode):
    return keras.layers.RandomZoom((taller, taller), (wider, wider), fill_mode=fill_mode)


@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect"])
@pytest.mark.parametrize(
    ("keras_layer", "amounts"),
    [
        (keras_rotation, {"angle": 10.0}),
        (keras_rotation, {"angle": -7.0}),
        (keras_translation, {"down": 0.1, "right": -0.05}),
        (keras_zoom, {"taller": 0.1, "wider": -0.08}),
    ],
)
def test_each_transform_alone_agrees_with_keras(keras_layer, amounts, fill_mode, pixels):
    theirs = keras_layer(*amounts.values(), fill_mode)(pixels, training=True)
    np.testing.assert_allclose(ours(pixels, **amounts, fill_mode=fill_mode), theirs, atol=2e-3)


def test_the_composition_is_one_matrix_product(pixels):
    """Rotation, then shift, then zoom: the product of the three matrices, taken from output to input."""
    n = len(pixels)
    values = {"angle": 10.0, "down": 0.1, "right": -0.05, "taller": 0.1, "wider": -0.08}

    def matrix(**some):
        parts = [np.full(n, some.get(k, 0.0), "float32") for k in values]
        flat = augmentation.affine((28, 28), *parts[:3], 1 + parts[3], 1 + parts[4])[0]
        return np.append(flat, 1.0).reshape(3, 3)

    product = matrix(angle=10.0) @ matrix(down=0.1, right=-0.05) @ matrix(taller=0.1, wider=-0.08)
    np.testing.assert_allclose(matrix(**values), product, atol=1e-4)
    flat = np.tile(product.ravel()[:8].astype("float32"), (n, 1))
    np.testing.assert_allclose(
        ours(pixels, **values), augmentation.resample(pixels, flat, "nearest"), atol=1e-4
    )


def test_the_composition_is_close_to_keras_three_layers_in_turn():
    """On a smooth picture, where resampling three times blurs next to nothing."""
    x, y = np.meshgrid(np.arange(28), np.arange(28))
    blob = np.exp(-((x - 15) ** 2 / 15 + (y - 13) ** 2 / 30)).astype("float32")
    pixels = theirs = tf.constant(blob[None, :, :, None])
    for layer in (
        keras_rotation(10.0, "nearest"),
        keras_translation(0.1, -0.05, "nearest"),
        keras_zoom(0.1, -0.08, "nearest"),
    ):
        theirs = layer(theirs, training=True)
    np.testing.assert_allclose(ours(pixels, 10.0, 0.1, -0.05, 0.1, -0.08), theirs, atol=0.05)
    turned_back = ours(pixels, -10.0, 0.1, -0.05, 0.1, -0.08)
    assert np.abs(np.asarray(turned_back) - np.asarray(theirs)).max() > 0.1, "the comparison can fail"


def test_each_image_and_each_seed_draws_for_itself(pixels):
    augment = augmentation.RandomAffine()
    same = tf.repeat(pixels[:1], 5, axis=0)
    first, again, other = (np.asarray(augment(same, [0, seed])) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])
    assert first.min() >= 0
    assert first.max() <= 1


def test_draws_fill_their_ranges_evenly():
    """The angle of a tilted line, measured after rotation alone, is uniform within ±10 degrees."""
    line = np.zeros((400, 28, 28, 1), "float32")
    line[:, 14, :] = 1.0
    turned = np.asarray(augmentation.RandomAffine(10.0, 0.0, 0.0)(tf.constant(line), [0, 3]))[..., 0]
    rows = np.arange(28)[:, None]
    heights = [(turned[:, :, c] * rows.T).sum(1) / turned[:, :, c].sum(1) for c in (6, 21)]
    angles = np.degrees(np.arctan2(heights[0] - heights[1], 15))
    assert np.abs(angles).max() < 11
    assert np.abs(angles.mean()) < 1.0
    assert angles.std() == pytest.approx(10 / np.sqrt(3), abs=0.6)


def test_no_amount_changes_nothing(pixels):
    np.testing.assert_allclose(augmentation.RandomAffine(0, 0, 0)(pixels, [0, 0]), pixels, atol=1e-6)


def test_flip_and_shift_moves_by_whole_pixels(pixels):
    """Each result is one of the 2 x 9 that there are, and all of these come up."""
    images = np.repeat(pixels.numpy()[:1], 600, axis=0)
    moved = augmentation.RandomFlipShift(1)(tf.constant(images), tf.constant([3, 4])).numpy()
    padded = np.pad(images[0, ..., 0], 1)
    windows = [padded[row : row + 28, column : column + 28] for row in range(3) for column in range(3)]
    padded = padded[:, ::-1]
    windows += [padded[row : row + 28, column : column + 28] for row in range(3) for column in range(3)]
    matches = [[np.array_equal(image[..., 0], window) for window in windows] for image in moved]
    assert np.sum(matches) == len(moved)
    assert np.sum(matches, axis=0).min() > 10  # of 33 expected


def test_flip_and_shift_depends_on_the_seed_alone(pixels):
    augment = augmentation.RandomFlipShift(2)
    first, again, other = (augment(pixels, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cutout_blackens_a_square_whose_centre_may_be_any_pixel():
    cut = augmentation.RandomFlipShift(0, flip=False, cutout=8)(
        tf.ones((4_000, 28, 28, 1)), tf.constant([3, 4])
    )
    black = cut.numpy()[..., 0] == 0
    rows, columns = black.any(axis=2), black.any(axis=1)
    np.testing.assert_array_equal(black, rows[:, :, np.newaxis] & columns[:, np.newaxis])
    for lines in (rows, columns):
        first, last = lines.argmax(axis=1), 27 - lines[:, ::-1].argmax(axis=1)
        centres = np.where(first > 0, first + 4, last - 3)  # four pixels before it, three after
        assert (last - first + 1 == np.minimum(8, np.minimum(centres + 4, 32 - centres))).all()
        assert np.bincount(centres, minlength=28).min() > 90  # of 143 expected
