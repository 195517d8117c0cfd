"""Lesson 9's study: what it kept is what its settings say, and the test labels wait behind a gate."""

import sys

import numpy as np
import pandas as pd
import pytest

from fmnist_utils import data, pretrained, results
from fmnist_utils.support import files, weights
from fmnist_utils.support.startup import keras
from studies.transfer import choose, cost, features, study, tested, training
from studies.transfer.settings import FROZEN_UNTIL, SIZES, STRENGTH

LINEAR = ["pixels", "last 97", "inner 97", "last 161", "inner 161"]
COMPARED = ["scratch", "last 97", "inner 97", "last block", "all"]
SEEDS = [0, 1, 2, 3, 4]
layers = keras.layers


def planned() -> dict[tuple[str, int], list[int]]:
    """The seeds of each set-up with so many labelled images."""
    found = {(setup, size): SEEDS for setup in [*LINEAR, *study.RATES] for size in SIZES}
    found |= {(setup, 55_000): [0] for setup in LINEAR}
    found |= {("moving", size): SEEDS for size in (100, 300)}
    wrong = [f"always {how}" for how in training.PREPARATIONS]
    wrong += [f"asked {how}" for how in training.PREPARATIONS[1:]]
    found |= {(setup, 1_000): SEEDS for setup in wrong}
    within = ["pixels", "last 97", "inner 97", "trunk", "trunk inner", "scratch"]
    found |= {(f"five: {setup}", size // 2): SEEDS for setup in within for size in SIZES}
    return found


# What was kept


def test_each_set_up_was_trained_with_each_of_its_seeds_once():
    kept = results.table("transfer")
    found = {key: sorted(rows["SEED"]) for key, rows in kept.groupby(["setup", "size"])}
    assert found == planned()


def test_accuracies_are_shares_of_the_validation_images():
    kept = results.table("transfer")
    asked = np.where(kept["setup"].str.startswith("five: "), 2_500, 5_000)
    right = kept["val_accuracy"] * asked
    assert right.between(1, asked - 1).all()
    np.testing.assert_allclose(right, right.round(), atol=0.03)  # five digits are kept
    wrongly = kept["setup"].str.startswith(("always ", "asked "))  # these keep no figures of the training
    assert (kept["accuracy"].isna() == wrongly).all() and (kept["seconds"].isna() == wrongly).all()
    assert kept["accuracy"].dropna().between(0, 1).all() and (kept["seconds"].dropna() >= 0).all()


def choices(setup: str, size: int) -> pd.Series:
    """Validation accuracies by what was tried."""
    tried = results.table("transfer_choices")
    return tried[(tried["setup"] == setup) & (tried["size"] == size)].set_index("value")["val_accuracy"]


@pytest.mark.parametrize("setup", study.RATES)
def test_the_learning_rate_is_the_best_of_those_that_were_tried(setup):
    found = choices(setup, choose.SIZE)
    assert sorted(found.index) == sorted(choose.RATES)
    assert found.idxmax() == study.RATES[setup]


@pytest.mark.parametrize("setup", LINEAR)
def test_one_strength_is_within_a_point_of_the_best_from_100_images_on(setup):
    for size in SIZES[:-1]:
        found = choices(setup, size)
        assert sorted(found.index) == sorted(choose.TRIED)
        assert size < 100 or found.max() - found[STRENGTH] <= 0.01, size


@pytest.mark.parametrize("size", tested.CHOSEN)
def test_the_set_up_that_met_the_test_labels_is_the_best_on_the_validation_images(size):
    kept = results.table("transfer")
    means = kept[kept["size"] == size].groupby("setup")["val_accuracy"].mean()[COMPARED]
    assert means.idxmax() == tested.CHOSEN[size]


def test_the_test_labels_were_read_for_what_was_chosen_and_for_nothing_else():
    record = results.record("transfer_test")["setups"]
    assert {row["size"]: row["setup"] for row in record} == tested.CHOSEN
    for row in record:
        validated = results.over_seeds(
            results.table("transfer"), "val_accuracy", setup=row["setup"], size=row["size"]
        )
        assert row["val_accuracy"] == validated.tolist() and row["seeds"] == SEEDS
        assert np.mean(validated) >= row["gate"] == tested.GATES[row["size"]]
        right = np.array(row["test_accuracy"]) * 10_000
        assert len(right) == 5 and (right > 1_000).all() and (right < 10_000).all()
        np.testing.assert_allclose(right, right.round(), atol=1e-3)


def test_each_set_up_has_its_cost_in_each_precision():
    kept = results.table("transfer_cost")
    found = kept.groupby("setup")["precision"].agg(sorted).to_dict()
    assert found == {setup: sorted(cost.PRECISIONS) for setup in cost.SETUPS} | {"pixels": ["float32"]}
    measures = kept.set_index(["setup", "precision"])
    assert (measures > 0).all(axis=None) and measures.notna().all(axis=None)
    assert (kept["trained"] <= kept["parameters"]).all()
    assert (kept.groupby("setup")[["parameters", "trained"]].nunique() == 1).all(axis=None)


# The gate


@pytest.fixture
def gate(monkeypatch, tmp_path):
    """A function that comes to the gate with these validation accuracies, by size; nothing is measured."""

    def read(purpose):
        raise RuntimeError("test labels were read")

    monkeypatch.setattr(data, "read_test", read)
    monkeypatch.setattr(tested, "RECORD", tmp_path / "transfer_test.json")

    def come(validated: dict[int, list[float]], *options: str) -> None:
        rows = [
            {"SEED": seed, "setup": tested.CHOSEN[size], "size": size, "val_accuracy": accuracy}
            for size, accuracies in validated.items()
            for seed, accuracy in enumerate(accuracies)
        ]
        monkeypatch.setattr(results, "table", lambda name: pd.DataFrame(rows))
        monkeypatch.setattr(sys, "argv", ["tested", *options])
        tested.main()

    yield come
    keras.config.set_dtype_policy("float32")


OPEN = {size: [accuracy - 0.01, accuracy + 0.011] for size, accuracy in tested.GATES.items()}


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
@pytest.mark.parametrize("size", tested.GATES)
@pytest.mark.parametrize("accuracies", [[], [0.1], "just below"])
def test_a_closed_gate_ends_it_before_a_test_label_is_read(size, accuracies, gate):
    if accuracies == "just below":
        accuracies = [tested.GATES[size] + 0.01, tested.GATES[size] - 0.0101]
    with pytest.raises(SystemExit, match=f"The gate is closed: {tested.CHOSEN[size]} with {size:,} labels"):
        gate(OPEN | {size: accuracies})


def test_an_open_gate_lets_it_read_them(gate):
    with pytest.raises(RuntimeError, match="test labels were read"):
        gate(OPEN)


def test_what_was_measured_is_measured_anew_only_if_that_is_asked_for(gate):
    files.write_json(tested.RECORD, "measured")
    with pytest.raises(SystemExit, match="is there: the test labels were read for it. --again"):
        gate(OPEN)
    with pytest.raises(RuntimeError, match="test labels were read"):
        gate(OPEN, "--again")
    assert files.read_json(tested.RECORD) == "measured"


@pytest.mark.parametrize("option", ["--help", "--agian"])
def test_who_asks_for_help_or_errs_reads_no_test_label(option, gate):
    with pytest.raises(SystemExit):
        gate(OPEN, option)


# What it trains with


@pytest.fixture
def stand_in() -> keras.Model:
    """In the place of a trunk: it gives what it is given."""
    images = keras.Input((33, 33, 3))
    return keras.Model(images, layers.Identity()(images))


def black_and_white() -> np.ndarray:
    return np.stack([np.zeros((28, 28, 1)), np.ones((28, 28, 1))]).astype(np.float32)


def test_pixels_are_grey_levels_in_a_row():
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    (found,) = features.pixels(images).values()
    np.testing.assert_allclose(found, images.reshape(5, 784) / 255, rtol=1e-6)


def test_prepared_rightly_images_are_as_the_lesson_prepares_them(stand_in):
    images = np.random.default_rng(0).uniform(0, 1, (5, 28, 28, 1)).astype(np.float32)
    expected = pretrained.of_grey(stand_in)(images)
    np.testing.assert_array_equal(training.prepared(stand_in, "right")(images), expected)


MEAN, DEVIATION = np.array(pretrained.MEAN), np.array(pretrained.DEVIATION)


@pytest.mark.parametrize(
    ("how", "black", "white"),
    [
        ("right", -MEAN / DEVIATION, (1 - MEAN) / DEVIATION),
        ("0 to 255", -MEAN / DEVIATION, (255 - MEAN) / DEVIATION),
        ("mean 0.5", [-1, -1, -1], [1, 1, 1]),
        ("one channel", -MEAN / DEVIATION, (np.array([1, 0, 0]) - MEAN) / DEVIATION),
    ],
)
def test_each_wrong_preparation_is_wrong_in_the_way_that_its_name_says(how, black, white, stand_in):
    found = training.prepared(stand_in, how)(black_and_white())
    assert how in training.PREPARATIONS and found.shape == (2, 33, 33, 3)
    for image, expected in zip(found, (black, white), strict=True):
        np.testing.assert_allclose(image, np.broadcast_to(expected, (33, 33, 3)), rtol=1e-4)


def test_what_is_trained_is_what_the_set_up_says(monkeypatch):
    try:
        trunk = pretrained.backbone(97)
    except weights.DataError as error:
        pytest.skip(f"the pre-trained weights are not here: {str(error).splitlines()[0]}")
    monkeypatch.setattr(pretrained, "backbone", lambda side: trunk)
    own = [layer.name for layer in trunk.layers if layer.weights]
    norms = [layer.name for layer in trunk.layers if isinstance(layer, layers.BatchNormalization)]
    names = [layer.name for layer in trunk.layers]
    late = [name for name in own if names.index(name) > names.index(FROZEN_UNTIL)]
    assert late[0] == "block_16_expand"
    expected = {"all": set(own) - set(norms), "last block": set(late) - set(norms), "moving": set(own)}
    for setup, trained in expected.items():
        model = training.classifier(training.Settings(setup, (300,)))
        found = {
            layer.name for layer in model._flatten_layers() if layer.trainable_weights and not nested(layer)
        }
        assert found == trained | {"classes"}, setup


def nested(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model)
