"""The architectures have the sizes that the write-ups and lessons state."""

import keras
import numpy as np
import pytest

from fmnist_utils import models


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (models.dense, 224_466),
        (models.two_conv, 225_034),
        (models.three_conv, 110_474),
        (models.blog, 241_546),
        (models.batchnorm, 242_442),
        (lambda: models.batchnorm(batch_normalization=False), 241_546),
    ],
)
def test_parameters_input_and_probabilities(build, parameters):
    model = build()
    assert model.count_params() == parameters
    assert model.input_shape == (None, 28, 28, 1)
    probabilities = np.asarray(model(np.random.default_rng(0).random((3, 28, 28, 1), "float32")))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_batch_normalization_has_448_parameters_that_are_not_trained():
    assert trainable(models.batchnorm()) == 241_994
    assert trainable(models.batchnorm(batch_normalization=False)) == 241_546


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
        model = models.two_conv()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv_1").compute_dtype == "bfloat16"
    assert model.get_layer("classes").compute_dtype == "float32"
