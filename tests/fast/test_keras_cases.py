"""Keras's own test cases for batch normalization, which it installs, run on the fused layer."""

from types import SimpleNamespace

from keras.src.layers.normalization import batch_normalization_test as theirs

from fmnist_utils.fast.layers import BatchNormalization

theirs.layers = SimpleNamespace(**(vars(theirs.layers) | {"BatchNormalization": BatchNormalization}))


class TestFusedLayer(theirs.BatchNormalizationTest):
    """Every case of Keras's class, inherited."""


def test_the_cases_are_there():
    cases = [name for name in dir(theirs.BatchNormalizationTest) if name.startswith("test_")]
    assert len(cases) >= 10
