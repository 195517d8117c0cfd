"""What Keras can keep is trained, in all the ways that a student writes it; the rest is refused before that."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fmnist_utils import training
from fmnist_utils.support import copies

IMAGE, Flatten, Dense = keras.Input((28, 28, 1)), keras.layers.Flatten, keras.layers.Dense


@pytest.fixture(autouse=True)
def folders(own_folders):
    return own_folders


def double(x):
    return x * 2


def classes():
    return Dense(10, activation="softmax")


class Times(keras.layers.Layer):
    """No configuration of its own: Keras takes down what ``__init__`` was given."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def call(self, x):
        return x * self.k


class Residual(keras.layers.Layer):
    """Layers in a list and in a dictionary, and a weight made in ``build``."""

    def __init__(self, filters, **options):
        super().__init__(**options)
        self.filters = filters
        self.steps = [keras.layers.Conv2D(filters, 3, padding="same") for _ in range(2)]
        self.named = {"norm": keras.layers.BatchNormalization()}

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        super().build(shape)

    def call(self, x):
        y = x
        for step in self.steps:
            y = step(y)
        return x + self.scale * self.named["norm"](y)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


class Whole(keras.Model):
    """A model with a ``call`` of its own, written without ``**kwargs`` as most are."""

    def __init__(self):
        super().__init__()
        self.flat, self.out = Flatten(), classes()

    def call(self, x):
        return self.out(self.flat(x))


class OwnStep(keras.Model):
    """A functional model with a training step of its own."""

    def train_step(self, data):
        return super().train_step(data)


class InOrder(keras.Sequential):
    """A Sequential that brings its layers along."""

    def __init__(self):
        super().__init__([IMAGE, Flatten(), classes()])


class Derived(Dense):
    """A layer derived from one of Keras's, whose initializers draw seeds of their own."""


KEPT = {
    "named function": lambda: keras.Sequential([IMAGE, keras.layers.Lambda(double), Flatten(), classes()]),
    "own activation": lambda: keras.Sequential([IMAGE, Flatten(), Dense(8, activation=double), classes()]),
    "own layer": lambda: keras.Sequential([IMAGE, Times(2.0), Flatten(), classes()]),
    "own block": lambda: keras.Sequential([IMAGE, Residual(1), Flatten(), classes()]),
    "own model": Whole,
    "own training step": lambda: OwnStep(IMAGE, classes()(Flatten()(IMAGE))),
    "own Sequential": InOrder,
    "derived layer": lambda: keras.Sequential([IMAGE, Flatten(), Derived(8), classes()]),
    "not built": lambda: keras.Sequential([Flatten(), classes()]),
    "a model in a model": lambda: keras.Sequential(
        [IMAGE, keras.Sequential([Times(2.0), Flatten()]), classes()]
    ),
    "known mean": lambda: keras.Sequential(
        [IMAGE, keras.layers.Normalization(mean=0.3, variance=0.1), Flatten(), classes()]
    ),
}


@pytest.mark.parametrize("build", KEPT.values(), ids=KEPT)
def test_what_is_trained_is_what_comes_back(build, small_split):
    config = training.TrainingConfig(epochs=1, batch_size=50, seed=0)
    first, again = (
        training.train_or_load(build(), small_split, small_split, config, name="own") for _ in range(2)
    )
    assert first.path == again.path
    answers = training.predict(first.model, small_split.images)
    np.testing.assert_array_equal(answers, training.predict(again.model, small_split.images))
    accuracy = (answers.argmax(axis=1) == small_split.labels).mean()
    assert accuracy == pytest.approx(first.metrics["val_accuracy"], abs=1e-6), (
        "it is the network that was trained"
    )


class Forgets(Times):
    def get_config(self):
        return {}


class Draws(keras.layers.Layer):
    """Computes with numbers that it draws, which are no weights."""

    def __init__(self):
        super().__init__()
        self.numbers = tf.random.normal((784, 16))

    def call(self, x):
        return x @ self.numbers


class DrawsLate(Draws):
    def build(self, shape):
        self.order = np.random.permutation(784)

    def call(self, x):
        return tf.gather(x, self.order, axis=1)


class Held(keras.layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class Wide(keras.Model):
    def __init__(self, width=8):
        super().__init__()
        self.flat, self.hidden, self.out = Flatten(), Dense(width), classes()

    def call(self, x):
        return self.out(self.hidden(self.flat(x)))


def changed_afterwards():
    layer = Times(2.0)
    layer.k = 3.0
    return keras.Sequential([IMAGE, layer, Flatten(), classes()])


def adapted():
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).random((100, 28, 28, 1)))
    return keras.Sequential([IMAGE, layer, Flatten(), classes()])


REFUSED = {
    "lambda layer": (
        lambda: keras.Sequential([IMAGE, keras.layers.Lambda(lambda x: x), Flatten(), classes()]),
        "lambda",
    ),
    "lambda activation": (
        lambda: keras.Sequential([IMAGE, Flatten(), Dense(10, activation=lambda x: x)]),
        "lambda",
    ),
    "changed afterwards": (changed_afterwards, "another k"),
    "adapted": (adapted, "answers otherwise"),
    "a configuration that forgets": (
        lambda: keras.Sequential([IMAGE, Forgets(2.0), Flatten(), classes()]),
        "cannot be built a second time",
    ),
    "numbers that are no weights": (
        lambda: keras.Sequential([IMAGE, Flatten(), Draws(), classes()]),
        "add_weight",
    ),
    "numbers drawn in build": (
        lambda: keras.Sequential([IMAGE, Flatten(), DrawsLate(), classes()]),
        "add_weight",
    ),
    "a function that was given": (
        lambda: keras.Sequential([IMAGE, Held(double), Flatten(), classes()]),
        "get_config",
    ),
    "an argument without a configuration": (lambda: Wide(16), "get_config"),
    "seven classes": (lambda: keras.Sequential([IMAGE, Flatten(), Dense(7)]), r"outputs of shape \(7,\)"),
    "another input": (
        lambda: keras.Sequential([keras.Input((784,)), classes()]),
        "cannot be built a second time",
    ),
}


@pytest.mark.parametrize(("build", "why"), REFUSED.values(), ids=REFUSED)
def test_the_rest_is_refused_before_anything_is_trained(build, why, small_split, folders, monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    config = training.TrainingConfig(epochs=1, batch_size=50, seed=0)
    with pytest.raises(copies.ModelError, match=why):
        training.train_or_load(build(), small_split, small_split, config, name="own")
    assert not list((folders / "runs").rglob("own*"))


def test_an_optimizer_that_loses_something_is_refused(small_split, monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    optimizer = keras.optimizers.AdamW(0.01)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    config = training.TrainingConfig(epochs=1, batch_size=50, seed=0, optimizer=optimizer)
    with pytest.raises(copies.ModelError, match="its exclude_from_weight_decay.* is lost"):
        training.train_or_load(Whole(), small_split, small_split, config, name="own")
