"""Values that make no sense are refused by name."""

import pytest

from fmnist_utils import parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EPOCHS", -1),
        ("EPOCHS", 1.5),
        ("EPOCHS", True),
        ("DROPOUT", 2),
        ("TRAIN_SIZE", 10_000_000),
        ("BATCH_SIZE", "64"),
        ("LEARNING_RATE", 0),
        ("MODEL", "resnet"),
        ("PRECISION", "float16"),
        ("SEED", None),
    ],
)
def test_bad_values_are_refused_by_name(name, value):
    with pytest.raises(parameters.ParameterError, match=f"{name} = .*must be"):
        parameters.check({name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("EPOCHS", 1), ("DROPOUT", 0), ("DROPOUT", 0.5), ("MODEL", "all"), ("other", -1)]
)
def test_good_values_and_unknown_names_pass(name, value):
    parameters.check({name: value})


def test_every_bad_value_is_named_at_once():
    with pytest.raises(parameters.ParameterError, match="EPOCHS.*DROPOUT"):
        parameters.check({"EPOCHS": 0, "DROPOUT": -0.1})
