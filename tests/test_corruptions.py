"""Corruptions: right in kind, stronger by severity, the same for the same seed."""

import numpy as np
import pytest

from fmnist_utils import corruptions


@pytest.fixture(scope="module")
def images(real):
    return real.train.images[:200]


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_each_severity_changes_images_more_than_the_one_before(kind, images):
    def change(severity):
        changed = corruptions.corrupt(images, kind, severity)
        assert changed.shape == images.shape and changed.dtype == np.uint8
        return np.abs(changed.astype(int) - images).mean()

    changes = [0.0, *(change(severity) for severity in corruptions.SEVERITIES)]
    assert (np.diff(changes) > 0).all()


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_the_same_seed_draws_the_same(kind, images):
    first, again = (corruptions.corrupt(images, kind, 3, seed=1) for _ in range(2))
    assert np.array_equal(first, again)


def test_images_move_as_far_as_the_severity_says():
    dot = np.zeros((50, 28, 28), np.uint8)
    dot[:, 13:15, 13:15] = 200
    moved = corruptions.corrupt(dot, "shift", 4).astype(float)
    grid = np.arange(28)
    down = (moved.sum(2) * grid).sum(1) / moved.sum((1, 2)) - 13.5
    right = (moved.sum(1) * grid).sum(1) / moved.sum((1, 2)) - 13.5
    assert np.hypot(down, right) == pytest.approx(4, abs=0.1)
    assert down.min() < -2 and down.max() > 2, "in any direction"


def test_an_occlusion_is_one_empty_square(images):
    full = np.full_like(images, 255)
    for severity in corruptions.SEVERITIES:
        covered = corruptions.corrupt(full, "occlusion", severity) == 0
        assert (covered.sum((1, 2)) == (4 + 2 * severity) ** 2).all()


def test_light_leaves_the_background_empty_and_twice_as_bright_is_the_end():
    pictures = np.tile(np.array([0, 60], np.uint8), (40, 28, 14))
    brightest = corruptions.corrupt(pictures, "brightness", 5)
    assert set(np.unique(brightest)) == {0, 30, 120}


def test_unknown_corruptions_are_refused_by_name(images):
    with pytest.raises(ValueError, match="fog of severity 1 is unknown; expected one of noise, blur"):
        corruptions.corrupt(images, "fog", 1)
    with pytest.raises(ValueError, match="noise of severity 6"):
        corruptions.corrupt(images, "noise", 6)
