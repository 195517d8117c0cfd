"""The architectures have the sizes that their docstrings, the write-ups and the lessons state."""

import inspect
import re

import keras
import numpy as np
import pytest

from fmnist_utils import models, parameters


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


BUILDERS = {
    name: build
    for name, build in inspect.getmembers(models, inspect.isfunction)
    if not name.startswith("_")
    and name not in ("averaging_views", "with_fresh_averages", "multiply_adds")  # these take a model, a layer
}


def test_what_can_be_swept_is_there():
    assert set(parameters.NETWORKS) < set(BUILDERS)


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_parameters_input_and_probabilities(build):
    model = build()
    promised = re.search(r"([\d,]+) parameters", inspect.getdoc(build))[1]
    assert f"{model.count_params():,}" == promised
    assert model.input_shape == (None, 28, 28, 1)
    probabilities = np.asarray(model(np.random.default_rng(0).random((3, 28, 28, 1), "float32")))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_batch_normalization_has_448_parameters_that_are_not_trained():
    assert trainable(models.batchnorm()) == 241_994
    assert trainable(models.batchnorm(batch_normalization=False)) == 241_546


def test_of_the_champion_992_parameters_are_not_trained():
    assert trainable(models.champion()) == 232_330


def test_batch_normalization_follows_each_convolution_and_pooling_the_first_two():
    kinds = [layer.name.split("_")[0] for layer in models.batchnorm().layers]
    assert kinds == [
        "conv",
        "bn",
        "pool",
        "conv",
        "bn",
        "pool",
        "conv",
        "bn",
        "flatten",
        "dense",
        "dropout",
        "classes",
    ]


def test_arguments_reach_their_layers():
    model = models.batchnorm(dropout=0.25, momentum=0.9)
    assert model.get_layer("dropout").rate == 0.25
    assert model.get_layer("bn_3").momentum == 0.9


def test_probabilities_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, averaging = models.two_conv(), models.averaging_views(models.champion())
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv_1").compute_dtype == "bfloat16"
    assert model.get_layer("classes").compute_dtype == "float32"
    assert averaging.layers[-1].compute_dtype == "float32"


def test_views_are_averaged():
    """Against the same ten predictions made one by one."""
    keras.utils.set_random_seed(0)
    model = models.champion()
    images = np.random.default_rng(0).random((3, 28, 28, 1), "float32")
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    one_by_one = []
    for row, column in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2)):
        moved = framed[:, row : row + 28, column : column + 28]
        one_by_one += [np.asarray(model(moved)), np.asarray(model(moved[:, :, ::-1]))]
    averaged = models.averaging_views(model)
    assert averaged.count_params() == model.count_params()
    np.testing.assert_allclose(averaged(images), np.mean(one_by_one, axis=0), rtol=1e-4, atol=1e-6)
    assert not np.allclose(averaged(images), one_by_one[0], rtol=1e-2)


def test_multiply_adds():
    """By hand: 26 x 26 positions of 9 x 32, 11 x 11 of 9 x 32 x 64, and the two dense layers."""
    by_hand = 26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 1600 * 128 + 128 * 10
    assert models.multiply_adds(models.two_conv()) == by_hand
    assert models.multiply_adds(keras.layers.ReLU()) == 0


def test_fresh_averages_are_the_plain_means_over_the_batches_and_no_weight_changes():
    rng = np.random.default_rng(0)
    shown = [(rng.random((8, 28, 28, 1), "float32") + shift, None) for shift in (0.0, 1.0, 5.0)]
    model = models.batchnorm()
    before = model.get_weights()
    fresh = models.with_fresh_averages(model, shown)
    first = model.get_layer("conv_1")
    means = np.mean([np.asarray(first(images)).mean(axis=(0, 1, 2)) for images, _ in shown], axis=0)
    found = np.asarray(fresh.get_layer("bn_1").moving_mean)
    np.testing.assert_allclose(found, means, rtol=1e-4, atol=1e-5)
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    for one, other in zip(model.trainable_weights, fresh.trainable_weights, strict=True):
        assert np.array_equal(one, other)
