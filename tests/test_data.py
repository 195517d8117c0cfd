"""Splitting, rescaling, and near-duplicates, which are those that a full search finds."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fmnist_utils import data


def test_the_validation_split_is_stratified_and_complete(real):
    train, validation = data.train_validation_split(real.train, seed=0)
    assert (len(train), len(validation)) == (55_000, 5_000)
    assert np.bincount(validation.labels).tolist() == [500] * 10
    together = np.concatenate([train.images, validation.images]).reshape(60_000, -1)
    assert np.array_equal(
        np.sort(together.sum(axis=1)), np.sort(real.train.images.reshape(60_000, -1).sum(axis=1))
    )


def test_the_split_follows_its_seed(real):
    first, again, other = (data.train_validation_split(real.train, seed)[1].digest for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("size", [10, 1_000, 54_995, 60_000])
def test_subsets_stay_balanced(real, size):
    counts = np.bincount(data.subset(real.train, size, seed=0).labels)
    assert counts.sum() == size
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("size", [9, 60_001])
def test_impossible_subsets_are_refused(real, size):
    with pytest.raises(ValueError, match=f"size is {size:,}; expected from 10 .* to 60,000"):
        data.subset(real.train, size, seed=0)


def test_to_float_scales_and_adds_the_channel_axis(small_split):
    pixels = data.rescale(small_split.images)
    assert pixels.shape == (100, 28, 28, 1)
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)
    assert np.array_equal((pixels[..., 0] * 255).round().astype(np.uint8), small_split.images)


def test_one_hot_marks_the_label(small_split):
    rows = data.one_hot(small_split.labels)
    assert rows.shape == (100, 10)
    assert np.array_equal(rows.argmax(axis=1), small_split.labels)
    assert np.array_equal(rows.sum(axis=1), np.ones(100))


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 28, 28)), TypeError, "images has dtype float64; expected uint8"),
        (
            np.zeros((2, 27, 28), np.uint8),
            ValueError,
            r"images has shape \(2, 27, 28\); expected \(n, 28, 28\)",
        ),
        (np.zeros((28, 28), np.uint8), ValueError, "images has shape"),
    ],
)
def test_wrong_images_are_named(images, error, message):
    with pytest.raises(error, match=message):
        data.rescale(images)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros(3), TypeError, "labels has dtype float64; expected integers"),
        (np.zeros((3, 1), int), ValueError, r"labels has shape \(3, 1\); expected \(n,\)"),
        (np.array([0, 10]), ValueError, "labels runs from 0 to 10; expected 0 to 9"),
    ],
)
def test_wrong_labels_are_named(labels, error, message):
    with pytest.raises(error, match=message):
        data.one_hot(labels)


def test_a_split_needs_a_label_for_each_image():
    with pytest.raises(ValueError, match="2 images have 3 labels"):
        data.Split(np.zeros((2, 28, 28), np.uint8), np.zeros(3, np.uint8))


def flat(images):
    return images.reshape(len(images), -1).astype(float)


def test_pairs_within_a_set_are_exactly_those_of_a_full_search(real, monkeypatch):
    monkeypatch.setattr(data, "_CHUNK", 300)
    images = real.train.images[:1_000]
    pairs, distances = data.near_duplicates(images, max_distance=900)
    full = cdist(flat(images), flat(images))
    expected = {(i, j) for i, j in zip(*np.nonzero(full <= 900), strict=True) if i < j}
    assert len(expected) > 20
    assert {tuple(pair) for pair in pairs.tolist()} == expected
    np.testing.assert_allclose(distances, full[pairs[:, 0], pairs[:, 1]], rtol=1e-5)
    assert (np.diff(distances) >= 0).all()


def test_pairs_between_two_sets_and_none_at_all(real):
    images, others = real.train.images[:400], real.train.images[300:900]
    pairs, distances = data.near_duplicates(images, max_distance=800, others=others)
    assert {(300 + k, k) for k in range(100)} <= {tuple(pair) for pair in pairs.tolist()}
    assert (distances == 0).sum() == 100
    assert data.near_duplicates(images[:5], max_distance=1.0)[0].shape == (0, 2)
