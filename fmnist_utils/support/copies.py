"""Fresh copies of a model and an optimizer, and the trial that Keras can keep them. No TensorFlow here."""

import inspect
import tempfile
import types
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist_utils.support import keys

if TYPE_CHECKING:  # whoever has a model has loaded it already
    import keras

_SHAPE = (1, 28, 28, 1)
_GIVES_BACK = "A class of your own needs a get_config that returns what its __init__ takes."


class ModelError(TypeError):
    """Keras cannot build, save or load a model as it is; the message says which part, and what to do."""


def fresh(model: "keras.Model") -> "keras.Model":
    """The same architecture with weights drawn anew."""
    import keras

    with keras.saving.custom_object_scope(_own(model)):
        if type(model).__module__.startswith("keras."):
            return keras.models.clone_model(model, clone_function=_anew)
        return _built(_anew(model))


def require_keepable(model: "keras.Model") -> None:
    """Try to build a model a second time, to save and to load it, so that no training is lost at its end.

    Raises:
        ModelError: it does not work, or what comes back is another model.
    """
    refuse_lambdas(model)
    try:
        again = _built(fresh(model))
    except Exception as error:  # whatever Keras or the reader's own code raises
        raise ModelError(
            f"{model.name} cannot be built a second time. {_GIVES_BACK} {_short(error)}"
        ) from error
    _require_same(model, again)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.keras"
        try:
            again.save(path)
            load(path, model)
        except Exception as error:
            raise ModelError(
                f"{model.name} cannot be saved and loaded. {_GIVES_BACK} {_short(error)}"
            ) from error


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
    """Read a saved model; nothing that the file holds is executed.

    Args:
        path: a ``.keras`` file.
        like: a model of the same architecture; then only the weights are read.
    """
    import keras

    if like is None:
        return keras.saving.load_model(path, compile=False)
    model = _built(fresh(like))
    model.load_weights(path)
    return model


def fresh_optimizer(optimizer: "keras.optimizers.Optimizer") -> "keras.optimizers.Optimizer":
    """A new optimizer with the settings of another, whose state is left behind.

    Raises:
        ModelError: something was set on the other that Keras does not count among its settings.
    """
    import keras

    parts = [*keys.readers_parts([optimizer]), *keys.readers_parts(vars(optimizer))]
    with keras.saving.custom_object_scope(_by_name(parts)):
        made = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    for name, value in vars(optimizer).items():
        if isinstance(value, int | float | str | set) and name != "built" and vars(made).get(name) != value:
            raise ModelError(
                f"The optimizer {optimizer.name} cannot be made anew: its {name.strip('_')} is no setting that "
                "Keras keeps. Give it to the constructor, or write a class of your own that always has it."
            )
    return made


def _anew(layer: "keras.Layer") -> "keras.Layer":
    """A layer or model of the same class with the same settings, as far as its ``__init__`` takes them."""
    config = layer.get_config()
    if not keys.is_readers(type(layer)):
        return type(layer).from_config(config)
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        config = {
            parameter.name: config[parameter.name] for parameter in parameters if parameter.name in config
        }
    made = type(layer).from_config(config)
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
        model(np.zeros(_SHAPE, np.float32))
    return model


def _require_same(model: "keras.Model", again: "keras.Model") -> None:
    for first, second in zip(keys.layers(model), keys.layers(again), strict=False):
        with suppress(keys.UnknownError):  # what cannot be described cannot be compared
            found = keys.layer(second)
            for attribute, value in keys.layer(first).items():
                if found.get(attribute, value) != value:  # some come only when a layer is built
                    raise ModelError(
                        f"{model.name}: built a second time, the layer {first.name} has another {attribute}. "
                        f"{_GIVES_BACK}"
                    )


def _short(error: Exception, limit: int = 300) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"({text if len(text) <= limit else text[:limit] + ' …'})"
