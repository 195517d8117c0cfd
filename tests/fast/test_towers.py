"""A model in towers computes what the model computes."""

import os
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils import models, parameters
from fmnist_utils.fast import layers, towers

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(13, 28, 28, 1)).astype("float32")
LABELS = np.eye(10, dtype="float32")[RNG.integers(0, 10, 13)]
BUILDERS = {name: partial(getattr(models, name), dropout=0.0) for name in parameters.NETWORKS}
BUILDERS["blog"] = models.blog


def one_step(model, images=IMAGES, labels=LABELS):
    """Outputs, gradients and updated statistics of one training step."""
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = tf.reduce_mean(keras.losses.categorical_crossentropy(labels, outputs))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [outputs, *gradients, *(variable.value for variable in model.non_trainable_variables)]


def compare(model, images=IMAGES, labels=LABELS, tolerance=1e-4, count=2):
    start = model.get_weights()
    expected = [np.asarray(value) for value in one_step(model, images, labels)]
    model.set_weights(start)
    found = [np.asarray(value) for value in one_step(towers.in_towers(model, count), images, labels)]
    for one, other in zip(expected, found, strict=True):
        scale = np.abs(one).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale + 1e-6)


@pytest.mark.parametrize("name", BUILDERS)
def test_one_step_is_the_same(name):
    keras.utils.set_random_seed(1)
    compare(BUILDERS[name]())


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("images", [1, 3, 13])
def test_any_number_of_images_and_towers(count, images):
    keras.utils.set_random_seed(2)
    for build in (BUILDERS["two_conv"], BUILDERS["batchnorm"]):
        compare(build(), IMAGES[:images], LABELS[:images], count=count, tolerance=1e-3)


def test_bfloat16_differs_by_rounding_only():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(3)
        compare(BUILDERS["batchnorm"](), tolerance=0.06)
    finally:
        keras.config.set_dtype_policy("float32")


def test_inference_is_the_same():
    model = BUILDERS["batchnorm"]()
    one_step(model)  # so that the moving statistics are not those of a new layer
    np.testing.assert_allclose(towers.in_towers(model, 2)(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-6)


def test_a_frozen_normalization_stays_frozen():
    model = BUILDERS["batchnorm"]()
    model.get_layer("bn_1").trainable = False
    compare(model)


def test_training_one_trains_the_other():
    model = BUILDERS["batchnorm"]()
    before = model.get_weights()
    fast = towers.in_towers(model, 2)
    fast.compile("sgd", "categorical_crossentropy")
    fast.fit(IMAGES, LABELS, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert fast.count_params() == model.count_params()


@keras.saving.register_keras_serializable("tests")
class Centred(keras.layers.Layer):
    """A layer in which the images of a batch meet."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


@pytest.mark.parametrize("place", ["first", "after a convolution", "after the normalization", "last"])
def test_an_unknown_layer_gets_the_whole_batch(place):
    body = [keras.layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), keras.layers.Flatten()]
    position = {"first": 0, "after a convolution": 1, "after the normalization": 2, "last": 3}[place]
    body.insert(position, Centred())
    classes = keras.layers.Dense(10, activation="softmax")
    compare(keras.Sequential([keras.Input((28, 28, 1)), *body, classes]))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, padding="same"),
        keras.layers.Conv2D(4, 3, strides=2),
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.Conv2D(4, 3, activation="softmax"),
        keras.layers.Conv2D(5, 3),
        keras.layers.SeparableConv2D(4, 3),
    ],
)
@pytest.mark.parametrize("normalization", [keras.layers.BatchNormalization, layers.BatchNormalization])
def test_other_convolutions_and_normalizations(layer, normalization):
    body = [
        layer.__class__.from_config(layer.get_config()),
        normalization(),
        keras.layers.Activation("softmax"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    compare(keras.Sequential([keras.Input((28, 28, 1)), *body]), tolerance=1e-3)


def test_dropout_draws_for_each_share():
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Dropout(0.5)])
    first, second = np.split(
        np.asarray(towers.in_towers(model, 2)(np.ones_like(IMAGES[:12]), training=True)), 2
    )
    assert 0.45 < (first == 0).mean() < 0.55
    assert not np.array_equal(first, second)


def functional():
    image = keras.Input((28, 28, 1))
    return keras.Model(image, keras.layers.Flatten()(image))


class Own(keras.Sequential):
    """A student's own kind of model, whose ``train_step`` must not be lost."""


@pytest.mark.parametrize(
    "build",
    [
        functional,
        lambda: Own([keras.Input((28, 28, 1)), keras.layers.Flatten()]),
        lambda: keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)]),
        lambda: keras.Sequential(
            [keras.Input((28, 28, 1)), keras.layers.Conv2D(4, 3, activity_regularizer="l2")]
        ),
        lambda: keras.Sequential(
            [keras.Input((28, 28, 1)), keras.layers.Dropout(0.5, noise_shape=(1, 1, 1, 1))]
        ),
    ],
    ids=["functional", "subclass", "not built", "loss of its own", "shared mask"],
)
def test_what_would_compute_something_else_comes_back(build):
    model = build()
    assert towers.in_towers(model, 2) is model


@keras.saving.register_keras_serializable("tests")
class Rows(keras.layers.Layer):
    """Turns a batch of images into a batch of four times as many quarters."""

    def call(self, inputs):
        return tf.reshape(inputs, [-1, 7, 28, 1])

    def compute_output_shape(self, input_shape):
        return (None, 7, 28, 1)


def test_a_layer_may_change_the_number_of_images():
    body = [Rows(), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((28, 28, 1)), *body])
    np.testing.assert_allclose(towers.in_towers(model, 2)(IMAGES), model(IMAGES), atol=1e-5)


def test_sizes_may_be_unknown():
    body = [keras.layers.Conv2D(4, 3, dtype="bfloat16"), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((None, None, 1)), *body])
    np.testing.assert_allclose(
        tf.cast(towers.in_towers(model, 2)(IMAGES), tf.float32), tf.cast(model(IMAGES), tf.float32), atol=1e-2
    )


@pytest.mark.parametrize(("threads", "expected"), [("1", "1 1"), ("2", "2 2"), ("8", "8 2")])
def test_a_share_of_the_cores_is_kept_to(threads, expected):
    code = (
        "from fmnist_utils.fast import towers; from fmnist_utils.support import cores; "
        "print(cores.available(), towers.TOWERS)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == expected


@pytest.mark.parametrize("images", [1, 2, 13])
def test_by_share_treats_each_share_as_a_batch(images):
    model = functional_with_normalization()
    start = model.get_weights()
    cut = images // 2
    shares = [share for share in (IMAGES[:cut], IMAGES[cut:images]) if len(share)]
    expected = np.concatenate([model(share, training=True) for share in shares])
    moments = model.get_weights()
    model.set_weights(start)
    found = towers.ghost_batches(model, 2)(IMAGES[:images], training=True)
    np.testing.assert_allclose(expected, found, rtol=1e-4, atol=1e-6)
    if images > 1 and images % 2 == 0:  # otherwise a black image fills the smaller share
        for one, other in zip(moments, model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_by_share_predicts_like_the_model():
    model = functional_with_normalization()
    np.testing.assert_allclose(towers.ghost_batches(model, 2)(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-6)


def functional_with_normalization():
    keras.utils.set_random_seed(4)
    images = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(images)
    x = keras.layers.Add()([x, layers.BatchNormalization()(x)])
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, outputs)
