"""The fused Adam takes the same steps as Keras's; Muon's steps are orthogonal matrices."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils.fast import optimizers


def steps(kind, count=5, dtype="float32", **options):
    variable = keras.Variable(np.linspace(-1, 1, 12).reshape(3, 4), dtype=dtype)
    optimizer = kind(**options)
    rng = np.random.default_rng(0)
    for _ in range(count):
        optimizer.apply([tf.cast(rng.normal(size=(3, 4)), dtype)], [variable])
    state = [np.asarray(tf.cast(v.value, tf.float32)) for v in optimizer.variables]
    return np.asarray(tf.cast(variable.value, tf.float32)), state


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
        {"weight_decay": 0.01, "clipnorm": 0.5},
        {"amsgrad": True},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
    ],
)
def test_variables_and_state_agree(options):
    ours, our_state = steps(optimizers.Adam, **options)
    theirs, their_state = steps(keras.optimizers.Adam, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    for a, b in zip(our_state, their_state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_other_dtypes_and_sparse_gradients_take_keras_own_path():
    np.testing.assert_array_equal(
        steps(optimizers.Adam, dtype="bfloat16")[0], steps(keras.optimizers.Adam, dtype="bfloat16")[0]
    )
    results = []
    for kind in (optimizers.Adam, keras.optimizers.Adam):
        table = keras.Variable(np.ones((4, 2), "float32"))
        optimizer = kind(0.1)
        optimizer.apply([tf.IndexedSlices(tf.ones((1, 2)), tf.constant([2]), tf.constant([4, 2]))], [table])
        results.append(np.asarray(table.value))
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_it_is_saved_with_its_state(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizers.Adam(0.01), "mse")
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 2), "float32")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is optimizers.Adam
    for trained in (model, loaded):
        trained.fit(x, y, verbose=0, shuffle=False)
    np.testing.assert_allclose(model.get_weights()[0], loaded.get_weights()[0], rtol=1e-5)


def muon_step(shape, **options):
    """How one step of Muon at rate 1 changes a variable, as a matrix with a column for each filter."""
    rng = np.random.default_rng(1)
    variable = keras.Variable(rng.normal(size=shape).astype("float32"))
    before = np.array(variable.value)
    gradient = rng.normal(size=shape).astype("float32")
    optimizer = optimizers.Muon(1.0, weight_decay=None, adam_weight_decay=None, **options)
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
    muon = optimizers.Muon(0.5, weight_decay=0.1, adam_weight_decay=0.1)
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
    assert not optimizers.Muon()._should_use_adamw(kernel)
    assert optimizers.Muon(exclude_layers=["first"])._should_use_adamw(kernel)


@pytest.mark.parametrize("shape", [(3, 3, 1, 32), (32,), (64, 10)])
def test_muon_leaves_other_variables_to_adam(shape):
    np.testing.assert_allclose(np.abs(muon_step(shape)), 1.0, atol=0.05)  # Adam's first step is the rate
