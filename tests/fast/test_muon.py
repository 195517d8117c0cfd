"""Muon's steps are orthogonal matrices, and what is no convolution goes to AdamW."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils.fast.muon import Muon


def muon_step(shape, **options):
    """How one step of Muon at rate 1 changes a variable, as a matrix with a column for each filter."""
    rng = np.random.default_rng(1)
    variable = keras.Variable(rng.normal(size=shape).astype("float32"))
    before = np.array(variable.value)
    gradient = rng.normal(size=shape).astype("float32")
    optimizer = Muon(1.0, weight_decay=None, adam_weight_decay=None, **options)
    optimizer.apply([tf.constant(gradient)], [variable])
    return (np.array(variable.value) - before).reshape(-1, shape[-1])


@pytest.mark.parametrize("shape", [(3, 3, 16, 24), (3, 3, 2, 64)])
def test_muon_steps_by_an_orthogonal_matrix(shape):
    step = muon_step(shape, rms_rate=None, ns_steps=5)
    singular = np.linalg.svd(step, compute_uv=False)
    assert singular.min() > 0.5  # five iterations bring all of them near 1, not to it
    assert singular.max() < 1.3


def test_muon_treats_a_kernel_like_keras_treats_the_matrix():
    kernel = muon_step((3, 3, 16, 24))
    rng = np.random.default_rng(1)
    matrix = keras.Variable(rng.normal(size=(3, 3, 16, 24)).astype("float32").reshape(144, 24))
    before = np.array(matrix.value)
    gradient = rng.normal(size=(3, 3, 16, 24)).astype("float32").reshape(144, 24)
    keras.optimizers.Muon(1.0, weight_decay=None).apply([tf.constant(gradient)], [matrix])
    np.testing.assert_allclose(kernel, np.array(matrix.value) - before, rtol=1e-3, atol=1e-3)


def test_muon_decays_what_has_more_than_one_axis_also_after_a_round_trip():
    muon = Muon(0.5, weight_decay=0.1, adam_weight_decay=0.1)
    for optimizer in (muon, keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(muon))):
        kept = []
        for shape in [(3, 3, 16, 24), (64, 10), (32,)]:
            variable = keras.Variable(np.ones(shape, "float32"))
            optimizer.built = False
            optimizer.apply([tf.zeros(shape)], [variable])
            kept.append(float(np.array(variable.value).mean()))
        np.testing.assert_allclose(kept, [0.95, 0.95, 1], rtol=1e-5)


def test_muon_leaves_out_the_layers_that_it_is_told():
    kernel = keras.Variable(np.ones((3, 3, 16, 24), "float32"), name="first_kernel")
    assert not Muon()._should_use_adamw(kernel)
    assert Muon(exclude_layers=["first"])._should_use_adamw(kernel)


@pytest.mark.parametrize("shape", [(3, 3, 1, 32), (32,), (64, 10)])
def test_muon_leaves_other_variables_to_adam(shape):
    np.testing.assert_allclose(np.abs(muon_step(shape)), 1.0, atol=0.05)  # Adam's first step is the rate
