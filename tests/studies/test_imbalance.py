"""Lesson 10's unequal classes: what was kept is what the settings say, and each way shows what it says."""

import numpy as np
import pytest

from fmnist_utils import data, results, training
from fmnist_utils.support.startup import keras
from studies.photographs import imbalance, imbalance_training
from studies.photographs.imbalance_training import CORRECTED, WAYS

SEEDS = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def kept():
    return results.table("imbalance")


def had(row) -> np.ndarray:
    return np.array(row.counts.split(), int)


# What was kept


def test_each_way_was_measured_with_each_of_its_seeds_once(kept):
    found = {way: sorted(rows["SEED"]) for way, rows in kept.groupby("way")}
    assert found == dict.fromkeys([*WAYS, *CORRECTED], SEEDS)
    assert [imbalance.job(seed).seed for seed in imbalance.SEEDS] == SEEDS


def test_the_counts_are_those_of_the_long_tail_of_that_seed(kept):
    for row in kept.itertuples():
        tail = imbalance_training.counts(row.SEED)
        expected = imbalance_training.equal(tail) if row.way == "balanced set" else tail
        np.testing.assert_array_equal(had(row), expected)


def test_all_validation_images_were_answered_and_not_all_rightly(kept):
    for way in [*WAYS, *CORRECTED]:
        matrices = results.over_seeds(kept, "confusion_matrix", way=way)
        assert matrices.shape == (5, 10, 10) and (matrices.sum(axis=2) == 500).all(), way
        right = matrices.trace(axis1=1, axis2=2)
        assert (right > 3_500).all() and (right < 4_900).all(), way


def test_a_correction_to_equal_shares_answers_more_for_the_rarest_and_less_for_the_most_frequent(kept):
    """Which has to be so: the rarest class is raised against each other one, the most frequent lowered."""
    before = results.over_seeds(kept, "confusion_matrix", way="nothing").sum(axis=1)
    after = results.over_seeds(kept, "confusion_matrix", way="corrected to equal").sum(axis=1)
    for seed, change in enumerate(after - before):
        tail = imbalance_training.counts(seed)
        assert change[tail.argmin()] > 0 > change[tail.argmax()]


# What it trains with


def test_the_long_tail_falls_by_one_factor_from_rank_to_rank():
    orders = [imbalance_training.counts(seed) for seed in SEEDS]
    for found in orders:
        of_rank = np.sort(found)[::-1]
        assert (of_rank[0], of_rank[-1]) == (5_500, 55)
        np.testing.assert_allclose(of_rank[1:] / of_rank[:-1], 100 ** (-1 / 9), rtol=0.02)
    assert len({tuple(found) for found in orders}) == 5, "each seed draws an order of its own"


def test_the_reversed_mix_gives_the_rarest_what_the_most_frequent_had():
    assert imbalance_training.reversed_mix(np.array([5, 500, 50, 1])).tolist() == [50, 1, 5, 500]


def test_a_correction_is_bayess_rule():
    says = np.array([[0.8, 0.2], [0.5, 0.5]])
    found = imbalance_training.corrected(says, np.array([900, 100]), np.array([1, 1]))
    np.testing.assert_allclose(found, [[0.08, 0.18], [0.05, 0.45]] / np.array([[0.26], [0.5]]))
    same = imbalance_training.corrected(says, np.array([900, 100]), np.array([9, 1]))
    np.testing.assert_allclose(same, says)
    turned = imbalance_training.corrected(says, np.array([900, 100]), np.array([100, 900]))
    np.testing.assert_allclose(turned[1], [1 / 82, 81 / 82])


def labelled(count: int) -> data.Split:
    """Images whose first pixel is their label and whose second tells them apart."""
    labels = np.tile(np.arange(10, dtype=np.uint8), count)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = labels, np.arange(len(labels)) // 10
    return data.Split(images, labels)


def test_what_is_drawn_has_the_counts_and_is_drawn_once():
    wanted = np.arange(1, 11)
    found = imbalance_training.drawn(labelled(20), wanted, seed=0)
    np.testing.assert_array_equal(np.bincount(found.labels), wanted)
    np.testing.assert_array_equal(found.images[:, 0, 0], found.labels)
    assert len({image.tobytes() for image in found.images}) == wanted.sum()
    other = imbalance_training.drawn(labelled(20), wanted, seed=1)
    assert not np.array_equal(found.images, other.images)


def test_resampling_gives_equal_shares_and_uses_all_that_a_frequent_class_has():
    shown = imbalance_training.drawn(labelled(50), np.array([50, *[2] * 9]), seed=0)
    found = imbalance_training.resampled(shown, 10_000, seed=0)
    assert np.bincount(found.labels).tolist() == [1_000] * 10
    np.testing.assert_array_equal(found.images[:, 0, 0], found.labels)
    assert len({image.tobytes() for image in found.images[found.labels == 0]}) == 50


def test_a_weighted_loss_counts_an_image_as_its_class_says():
    weights = np.arange(1, 11) / 10
    truth = np.eye(10, dtype=np.float32)
    says = np.full((10, 10), 0.1, np.float32)
    found = imbalance_training.weighted(weights)(keras.ops.array(truth), keras.ops.array(says))
    np.testing.assert_allclose(found, weights * np.log(10), rtol=1e-5)


def test_all_ways_make_as_many_steps_and_show_what_their_names_say(monkeypatch):
    seen = {}

    def fit(model, train, validation, config):
        seen[way] = train, config

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(imbalance_training, "counts", lambda seed: np.array([40, 20, *[5] * 8]))
    for way in WAYS:
        imbalance_training.fitted(way, labelled(50), imbalance_training.Settings(), seed=0)
    assert {len(train) * config.epochs for train, config in seen.values()} == {1_500}
    shares = {
        way: (np.bincount(train.labels) / len(train)).round(2).tolist() for way, (train, _) in seen.items()
    }
    assert shares["nothing"] == shares["class weights"] == [0.4, 0.2, *[0.05] * 8]
    assert shares["resampling"] == shares["balanced set"] == [0.1] * 10
    assert [way for way, (_, config) in seen.items() if config.loss] == ["class weights"]
    loss = seen["class weights"][1].loss
    found = loss(keras.ops.array(np.eye(10, dtype=np.float32)), keras.ops.full((10, 10), 0.1))
    np.testing.assert_allclose(found / np.log(10), 100 / (10 * np.array([40, 20, *[5] * 8])), rtol=1e-5)
