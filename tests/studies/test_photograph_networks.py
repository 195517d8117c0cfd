"""Lesson 10's networks: what they are shown, what was kept of them, and the gates before the test senders."""

import sys

import numpy as np
import pandas as pd
import pytest

from fmnist_utils import photographs, results
from fmnist_utils.support import sources
from fmnist_utils.support.startup import keras, tf
from studies.photographs import networks, study, tested, training
from studies.photographs.networks import TEN, Settings

SEEDS = [0, 1, 2, 3, 4]


def shown(count: int) -> photographs.Photographs:
    """Made photographs of the ten labels in turn."""
    garment = np.zeros((28, 28), np.uint8)
    garment[4:24, 8:20] = 180
    images = [photographs.made(garment, seed).image for seed in range(count)]
    image = np.empty(count, object)
    image[:] = images
    labels = np.array([TEN[number % 10] for number in range(count)])
    return photographs.Photographs(image, np.arange(count), labels, np.zeros(count, bool))


# What a network is shown


@pytest.mark.parametrize(
    ("settings", "shape"), [(Settings(side=28, colour=False), (28, 28, 1)), (Settings(side=64), (64, 64, 3))]
)
def test_pictures_have_the_size_and_channels_that_were_asked_for(settings, shape):
    found = networks.pictures(shown(3).image, settings)
    assert found.shape == (3, *shape) and found.dtype == np.uint8
    assert networks.network(settings)(found / 255).shape == (3, 10)


def test_what_is_hidden_is_grey_and_the_rest_is_as_it_was():
    (image,) = shown(1).image
    mask, side = photographs.find(image), image.shape[0]
    whole = networks.pictures([image], Settings(side=side))[0]
    np.testing.assert_array_equal(whole, image)
    box = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    for part, hidden in {"garment": ~mask, "background": mask, "beside": box}.items():
        found = networks.pictures([image], Settings(side=side, part=part))[0]
        assert (found[hidden] == networks.GREY).all(), part
        np.testing.assert_array_equal(found[~hidden], image[~hidden], part)


def test_numbers_are_places_among_the_ten():
    part = shown(12)
    assert networks.numbers(part).tolist() == [*range(10), 0, 1]
    assert set(networks.of_ten(part).label) == set(TEN)


@pytest.mark.parametrize("augment", ["moved", "moved, light", "cropped"])
def test_an_augmentation_follows_its_seed_and_stays_between_0_and_1(augment):
    change = networks.augmentation(Settings(augment=augment))
    images = np.random.default_rng(0).random((6, 32, 32, 3)).astype(np.float32)
    first, again, other = (change(images, tf.constant([3, seed])).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.05
    assert first.shape == images.shape and first.min() >= 0 and first.max() <= 1


def test_a_crop_shows_half_of_the_picture_or_more():
    """Of a picture whose channels are its coordinates, the range that is left says how much is shown."""
    down, right = np.mgrid[0:64, 0:64] / 63
    images = np.repeat(np.stack([down, right, 0 * down], -1)[np.newaxis], 200, 0).astype(np.float32)
    crops = networks.augmentation(Settings(augment="cropped"))(images, tf.constant([0, 5])).numpy()
    height = np.ptp(crops[..., 0], axis=(1, 2))
    width = np.ptp(crops[..., 1], axis=(1, 2))
    assert (height * width > 0.46).all() and (height * width).mean() < 0.85
    mirrored = crops[:, 0, 0, 1] > crops[:, 0, -1, 1]
    assert 70 < mirrored.sum() < 130


def test_light_changes_colours_and_movement_does_not():
    plain = np.full((8, 16, 16, 3), 0.5, np.float32)
    seed = tf.constant([0, 0])
    moved = networks.augmentation(Settings(augment="moved"))(plain, seed).numpy()
    lit = networks.augmentation(Settings(augment="moved, light"))(plain, seed).numpy()
    np.testing.assert_allclose(moved, plain, atol=1e-6)
    assert np.abs(lit - plain).max() > 0.1


def test_batches_come_in_another_order_each_epoch_and_again_with_the_same_seed():
    part, settings = shown(40), Settings(side=8)

    def order(seed: int) -> list[list[int]]:
        batches = training._batches(part, settings, seed)
        return [[*np.concatenate([labels.numpy().argmax(1) for _, labels in batches])] for _ in range(2)]

    first, second = order(0)
    assert first != second and sorted(first) == sorted(second)
    assert order(0) == [first, second] and order(1)[0] != first


# What was kept


def test_each_way_was_trained_with_each_seed_once():
    kept = results.table("photograph_networks")
    assert {name: [*rows["SEED"]] for name, rows in kept.groupby("setup")} == dict.fromkeys(study.SETUPS, SEEDS)
    assert list(study.SEEDS) == SEEDS


def test_answers_give_the_accuracies_of_the_table():
    answers = results.photograph_answers()
    assert list(answers) == list(study.SETUPS)
    try:
        _, validation = networks.parts()
    except sources.DataError as error:
        pytest.skip(f"the photographs are not here: {str(error).splitlines()[0]}")
    true, kept = networks.numbers(validation), results.table("photograph_networks")
    for name, said in answers.items():
        expected = results.over_seeds(kept, "accuracy", setup=name)
        np.testing.assert_allclose((said == true).mean(axis=1), expected, atol=1e-5)


def test_turning_never_helps_a_network_that_saw_nothing_turned():
    kept = results.table("photograph_networks").groupby("setup").mean()
    for name in ("64 pixels, colour", "128 pixels, colour"):
        row = kept.loc[name, ["accuracy", "turned 15", "turned 30", "turned 45"]]
        assert row.is_monotonic_decreasing, name


def test_the_test_senders_were_asked_once_behind_their_gates():
    record = results.record("photograph_test")
    assert record["gates"] == tested.GATES
    for name, gate in tested.GATES.items():
        assert record["validation"][name]["value"] >= gate
        assert 0 < record["test"][name]["value"] < 1
    kept = results.table("photograph_networks")
    expected = results.over_seeds(kept, "accuracy", setup="fine-tuned")
    np.testing.assert_allclose(record["validation"]["fine-tuned"]["accuracies"], expected, atol=0.002)


# The gates


@pytest.fixture
def gate(monkeypatch, tmp_path):
    """A function that comes to the gates with these values; ``asked`` are the parts that were measured."""
    parts = [shown(2) for _ in range(3)]
    monkeypatch.setattr(photographs, "load", lambda: None)
    monkeypatch.setattr(photographs, "split", lambda everything, seed: parts)
    monkeypatch.setattr(tested, "RECORD", tmp_path / "photograph_test.json")

    def come(values: dict[str, float], *options: str) -> list[str]:
        asked: list[str] = []

        def measured(train, validation, part):
            asked.append(("train", "validation", "test")[next(i for i in range(3) if parts[i] is part)])
            return {name: {"value": value} for name, value in values.items()}

        monkeypatch.setattr(tested, "measured", measured)
        monkeypatch.setattr(sys, "argv", ["tested", *options])
        try:
            tested.main()
        finally:
            come.asked = asked
        return asked

    yield come
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", tested.GATES)
def test_a_closed_gate_ends_it_before_a_test_sender_is_looked_at(name, gate):
    with pytest.raises(SystemExit, match=f"The gate is closed: {name} has .* No test sender's photograph"):
        gate(tested.GATES | {name: tested.GATES[name] - 0.001})
    assert gate.asked == ["validation"] and not tested.RECORD.exists()


def test_open_gates_let_the_test_senders_in_and_what_is_measured_stays(gate):
    assert gate(tested.GATES) == ["validation", "test"]
    before = tested.RECORD.read_text()
    with pytest.raises(SystemExit, match="is there: the test senders were looked at"):
        gate(tested.GATES)
    assert gate.asked == [] and tested.RECORD.read_text() == before
    assert gate(tested.GATES, "--again") == ["validation", "test"]


def test_refusal_is_measured_as_it_is_defined(monkeypatch):
    """Features that tell the two apart give 1, and the threshold keeps nine of ten that have a class."""
    labels = np.array(["Dress", "Hat", "Shoes", "Skirt", "Shorts", "Not sure"] * 20)
    image = np.empty(len(labels), object)
    image[:] = [np.zeros((8, 8, 3), np.uint8)] * len(labels)
    part = photographs.Photographs(image, np.arange(len(labels)), labels, np.zeros(len(labels), bool))
    apart = pd.get_dummies(labels).to_numpy(np.float32)
    monkeypatch.setattr(tested.pretrained, "features", lambda model, images: apart)
    monkeypatch.setattr(tested.pretrained, "backbone", lambda side: None)
    for wrapper in ("pooled", "of_colour"):
        monkeypatch.setattr(tested.pretrained, wrapper, lambda model: None)
    row = tested.refusal(part, part, part)
    assert row["value"] == 1.0 and row["refused_without"] == dict.fromkeys(tested.UNKNOWN, 1.0)
    assert row["kept_with_class"] >= tested.KEPT
