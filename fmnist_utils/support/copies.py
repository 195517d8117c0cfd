"""Fresh copies of a model and an optimizer, and the trial that Keras can keep them. No TensorFlow here."""

import inspect
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist_utils.support import keys, saved

if TYPE_CHECKING:  # whoever has a model has loaded it already
    import keras

_IMAGES = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
_GIVES_BACK = (
    "Whatever it computes with has to follow from its settings, which a class of your own returns from "
    "get_config and takes in __init__, or has to be a weight, made with add_weight."
)


class ModelError(TypeError):
    """Keras cannot build, save or load a model as it is; the message says which part, and what to do."""


def fresh(model: "keras.Model") -> "keras.Model":
    """The same architecture with weights drawn anew."""
    import keras

    with keras.saving.custom_object_scope(_own(model)):
        if not keys.is_readers(type(model)):
            return keras.models.clone_model(model, clone_function=_anew)
        return _built(_anew(model))


def require_keepable(model: "keras.Model") -> None:
    """Try to build a model a second time, to save and to load it, so that no training is lost at its end.

    The model goes from images, (n, 28, 28, 1), to probabilities, (n, 10).

    Raises:
        ModelError: it does not work, or what comes back is another model.
    """
    import keras

    refuse_lambdas(model)
    with _told_as(model, "cannot be built a second time"):
        again = _built(fresh(model))
        answers = _answers(again)
    if answers.shape != (len(_IMAGES), 10):
        raise ModelError(f"{model.name} gives outputs of shape {answers.shape[1:]} an image; expected (10,).")
    _require_same(model, again)
    with tempfile.TemporaryDirectory() as folder, _told_as(model, "cannot be saved and loaded"):
        path = Path(folder) / "trial.keras"
        again.save(path)
        keras.utils.set_random_seed(1)  # what is drawn when a model is built must not come out the same by luck
        kept = load(path, model)
    _require_same_answers(again, kept)
    if model.built:
        again.set_weights(model.get_weights())
        _require_same_answers(model, again)


def refuse_lambdas(model: "keras.Model") -> None:
    """Refuse functions without a name, which Keras saves and then does not load.

    Raises:
        ModelError: names the layer.
    """
    for layer in keys.layers(model):
        parts = [] if keys.is_readers(type(layer)) else keys.readers_parts(vars(layer))
        if any(getattr(part, "__name__", "") == "<lambda>" for part in parts):
            raise ModelError(
                f"{model.name}: the layer {layer.name} holds a lambda, which Keras does not load again. Write "
                "it as a function with def and give that by name, or write a layer: a class with a method call."
            )


def load(path: Path, like: "keras.Model | None" = None) -> "keras.Model":
    """Read a saved model, a ``.keras`` file, as ``saved.load`` does.

    With ``like``, a model of the same architecture, only the weights are read.

    Raises:
        UnreadableError: the file is missing or damaged, or holds another model or more than a model.
    """
    return saved.load(path, None if like is None else _built(fresh(like)))


def fresh_optimizer(optimizer: "keras.optimizers.Optimizer") -> "keras.optimizers.Optimizer":
    """A new optimizer with the settings of another, whose state is left behind.

    Raises:
        ModelError: something was set on the other that Keras does not count among its settings.
    """
    import keras

    own = _by_name([*keys.readers_parts([optimizer]), *keys.readers_parts(vars(optimizer))])
    with _told_as(optimizer, "cannot be made anew"), keras.saving.custom_object_scope(own):
        made = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    found = keys.optimizer_settings(made)
    for name, value in keys.optimizer_settings(optimizer).items():
        if found.get(name) != value:
            raise ModelError(
                f"{optimizer.name} cannot be made anew: its {name.strip('_')} is lost. Give it to the "
                "constructor, or write a class that returns it from get_config and takes it in __init__."
            )
    return made


def _anew(layer: "keras.Layer") -> "keras.Layer":
    """A layer or model of the same class with the same settings, as far as its ``__init__`` takes them."""
    if hasattr(layer, "layers") and not keys.is_readers(type(layer)):
        return fresh(layer)
    config, kind = layer.get_config(), type(layer)
    if not keys.is_readers(kind.__init__) or keys.is_readers(kind.from_config.__func__):
        return kind.from_config(config)
    parameters = inspect.signature(kind.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return kind.from_config(config)
    made = kind(**{name: config[name] for name in parameters if name in config})
    made.trainable = layer.trainable
    return made


def _own(model: "keras.Model") -> dict[str, Any]:
    """A model's classes and functions that are the reader's, by the names by which Keras asks for them."""
    parts: list[Any] = []
    for layer in keys.layers(model):
        parts += [*keys.readers_parts([type(layer)]), *keys.readers_parts(vars(layer))]
    return _by_name(parts)


def _by_name(parts: list[Any]) -> dict[str, Any]:
    named = [part if isinstance(part, type | types.FunctionType) else type(part) for part in parts]
    return {part.__name__: part for part in named}


def _built(model: "keras.Model") -> "keras.Model":
    if not model.built:
        model(_IMAGES)
    return model


def _answers(model: "keras.Model") -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(keras.ops.cast(model(_IMAGES, training=False), "float32"))


@contextmanager
def _told_as(part: Any, what: str) -> Iterator[None]:
    """Whatever Keras or the reader's own code raises, in a sentence."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{part.name} {what}. {_GIVES_BACK} ({text[:300]})") from error


def _require_same(model: "keras.Model", again: "keras.Model") -> None:
    for first, second in zip(keys.layers(model), keys.layers(again), strict=False):  # one may not be built
        with suppress(keys.UnknownError):  # what cannot be described cannot be compared
            found = keys.layer(second)
            for attribute, value in keys.layer(first).items():
                if found.get(attribute) != value:
                    what = f"built a second time, the layer {first.name} has another {attribute}"
                    raise ModelError(f"{model.name}: {what}. {_GIVES_BACK}")


def _require_same_answers(model: "keras.Model", again: "keras.Model") -> None:
    answers = _answers(model)
    draws = not np.array_equal(answers, _answers(model))  # at each call, so that nothing can be told
    if not draws and not np.allclose(answers, _answers(again), rtol=1e-3, atol=1e-4):
        raise ModelError(f"{model.name}: built a second time, it answers otherwise. {_GIVES_BACK}")
