"""The key of a training: a hash of everything that decides its outcome."""

import hashlib
import inspect
import json
from typing import Any

from fmnist_utils import data
from fmnist_utils.startup import keras, tf

_REFERENCES = ("name", "inbound_nodes", "input_layers", "output_layers")  # where a configuration names layers


def same_architecture(first: keras.Model, second: keras.Model) -> bool:
    """Whether two models differ in nothing but names and weights."""
    return _without_names(first.get_config()) == _without_names(second.get_config())


def description(augment: Any) -> dict[str, Any] | None:
    """An augmentation's settings and code, so that another function has another key; None for none."""
    if augment is None:
        return None
    settings = {key: float(v) if isinstance(v, int) else v for key, v in vars(augment).items()}
    source = augment if inspect.isfunction(augment) else type(augment)
    return {"settings": settings, "code": "" if _is_ours(source) else inspect.getsource(source)}


def key(
    model: keras.Model, setup: dict[str, Any], train: data.Split, validation: data.Split, code: list[str]
) -> str:
    """Twelve hexadecimal digits that stand for everything that decides what a training gives.

    Args:
        model: its configuration counts, names and weights do not.
        setup: epochs, batch size and the like, as JSON holds them.
        train, validation: the data.
        code: of the modules that take part, from ``fingerprint.code``.
    """
    kinds = {type(layer) for layer in model.layers if not _is_ours(type(layer))}
    parts = [
        _without_names(model.get_config()),
        sorted(inspect.getsource(kind) for kind in kinds),
        setup,
        train.digest,
        validation.digest,
        code,
        keras.__version__,
        tf.__version__,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _is_ours(definition: Any) -> bool:
    """Whether a class or function is Keras's or this package's: these are known by version and code."""
    return definition.__module__.split(".")[0] in ("keras", "fmnist_utils")


def _without_names(config: dict[str, Any]) -> Any:
    """A model's configuration without its layers' names: Keras counts them up within a session."""
    names: dict[str, str] = {}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            inner = part.get("config")
            if isinstance(inner, dict) and "name" in inner and part.get("class_name") != "DTypePolicy":
                names.setdefault(inner["name"], f"layer {len(names)}")
        for value in _children(part):
            collect(value)

    def rename(part: Any, refers: bool = False) -> Any:
        if isinstance(part, dict):
            return {key: rename(value, refers or key in _REFERENCES) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return [rename(value, refers) for value in part]
        return names.get(part, part) if refers and isinstance(part, str) else part

    collect(config)
    return {key: rename(value, key in _REFERENCES) for key, value in config.items() if key != "name"}


def _children(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return list(part.values())
    return list(part) if isinstance(part, list | tuple) else []
