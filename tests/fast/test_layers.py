"""The fused batch normalization agrees with Keras's in every way that a user can see."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils.fast import layers

MAPS = np.random.default_rng(0).normal(3.0, 2.0, (8, 6, 5, 4)).astype("float32")
TOLERANCE = {"float32": 2e-5, "mixed_bfloat16": 2e-2}


def pair(shape, **options):
    """Keras's layer and ours with the same, not trivial, weights."""
    made = [kind(**options) for kind in (keras.layers.BatchNormalization, layers.BatchNormalization)]
    rng = np.random.default_rng(1)
    for layer in made:
        layer.build(shape)
    weights = [rng.uniform(0.5, 1.5, w.shape) for w in made[0].weights]
    for layer in made:
        layer.set_weights(weights)
    return made


def forward_and_back(layer, inputs, training):
    x = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.constant(inputs[::-1].copy()))
    wanted = [x, *(v.value for v in layer.trainable_variables)]
    return [outputs, *tape.gradient(loss, wanted), *(v.value for v in layer.non_trainable_variables)]


def assert_agree(left, right, tolerance):
    for a, b in zip(left, right, strict=True):
        a, b = np.asarray(tf.cast(a, tf.float32)), np.asarray(tf.cast(b, tf.float32))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(a).max()))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9, "epsilon": 1e-5},
        {"center": False},
        {"scale": False},
        {"center": False, "scale": False},
    ],
)
def test_forward_gradients_and_moving_statistics_agree(options, policy, training):
    stock, fused = pair(MAPS.shape, dtype=policy, **options)
    results = [forward_and_back(layer, MAPS, training) for layer in (stock, fused)]
    assert results[0][0].dtype == results[1][0].dtype
    assert_agree(*results, TOLERANCE[policy])


@pytest.mark.parametrize(
    ("shape", "options"), [((8, 5), {}), ((8, 6, 5), {}), ((8, 4, 6, 5), {"axis": 1}), ((2, 3, 4, 5, 6), {})]
)
def test_other_shapes_and_axes_take_keras_own_path(shape, options):
    inputs = np.random.default_rng(2).normal(size=shape).astype("float32")
    stock, fused = pair(shape, **options)
    assert not fused.can_fuse(tf.constant(inputs))
    assert_agree(*(forward_and_back(layer, inputs, True) for layer in (stock, fused)), 1e-6)


def test_a_mask_is_heeded():
    mask = np.random.default_rng(3).integers(0, 2, MAPS.shape[:3]).astype(bool)
    stock, fused = pair(MAPS.shape)
    assert_agree([stock(MAPS, training=True, mask=mask)], [fused(MAPS, training=True, mask=mask)], 1e-6)
    assert_agree([stock.moving_mean], [fused.moving_mean], 1e-6)


def test_a_frozen_layer_is_in_inference_mode():
    _, fused = pair(MAPS.shape)
    fused.trainable = False
    before = fused.get_weights()
    outputs = fused(MAPS, training=True)
    assert_agree([outputs], [fused(MAPS, training=False)], 1e-6)
    assert_agree(before, fused.get_weights(), 0)


def test_it_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((6, 5, 4)), layers.BatchNormalization(momentum=0.8, name="bn")])
    model(MAPS, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("bn")) is layers.BatchNormalization
    assert loaded.get_layer("bn").momentum == 0.8
    assert_agree([model(MAPS)], [loaded(MAPS)], 1e-6)


@pytest.mark.parametrize("size", [5, 9])
def test_a_convolution_and_its_gradients_agree_with_keras(size):
    """5 pixels leave 9 positions, for which the kernel's gradient is one matrix product; 9 leave 49."""
    rng = np.random.default_rng(4)
    layer = keras.layers.Conv2D(8, 3, activation="relu", dtype="bfloat16")
    x = tf.constant(rng.normal(size=(16, size, size, 4)), tf.bfloat16)
    layer.build(x.shape)
    wanted = [x, layer.kernel.value, layer.bias.value]
    results = []
    for compute in (layer, lambda x: layers.convolution(layer, x, layer.kernel, layer.bias)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = compute(x)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        results.append([outputs, *tape.gradient(loss, wanted)])
    assert_agree(*results, 2e-2)
