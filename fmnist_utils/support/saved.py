"""Models in ``.keras`` files, which may be damaged, or come from anybody. No TensorFlow here."""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist_utils.support.files import UnreadableError

if TYPE_CHECKING:
    import keras

# What networks are made of. Keras would call whatever a file names as a function, of any of its modules.
_FUNCTIONS = {
    *("keras.activations", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.losses"),
    *("keras.metrics", "keras.optimizers", "keras.optimizers.schedules"),
    "builtins",  # Keras looks for such a name in some of the others
}
_CLASSES = _FUNCTIONS | {"keras", "keras.layers"}
_INTERNAL = ("keras.src.ops.", "keras.src.models.")  # where Keras takes nothing but operations and models


def load(path: Path, model: "keras.Model | None" = None) -> "keras.Model":
    """Read a model; nothing that its file holds is executed, and no other file is touched.

    With ``model``, only the weights are read, into that one.

    Raises:
        UnreadableError: the file is missing or damaged, or holds another model or more than a model.
    """
    import keras

    try:
        _look_into(path, names=model is None)
        if model is None:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        model.load_weights(path)
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # whatever zipfile, h5py and Keras raise of a damaged file
        fault = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"{path} cannot be loaded ({fault[:300]})") from error
    return model


def _look_into(path: Path, names: bool) -> None:
    if not path.is_file():  # to read a pipe may take for ever
        raise UnreadableError(f"{path} is missing, or no file")
    with zipfile.ZipFile(path) as archive:
        _refuse_bombs(path, archive)
        if names:
            _refuse_others(path, json.loads(archive.read("config.json")))


def _refuse_bombs(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a small file that would fill the memory: Keras compresses nothing and leaves nothing out."""
    import h5py

    def refuse_unwritten(name: str, part: Any) -> None:
        if isinstance(part, h5py.Dataset) and part.id.get_storage_size() < part.nbytes:
            raise UnreadableError(f"{path} does not hold its weights {name} in full. Keras did not write it so")

    if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
        raise UnreadableError(f"{path} is smaller than what is in it. Keras did not write it so")
    with archive.open("model.weights.h5") as weights, h5py.File(weights) as kept:
        kept.visititems(refuse_unwritten)


def _refuse_others(path: Path, part: Any) -> None:
    """Refuse a configuration that names what is neither of Keras's parts of networks nor registered with it."""
    import keras

    if isinstance(part, dict) and "class_name" in part:
        module, name = str(part.get("module") or "keras"), part["class_name"]
        if name == "function":
            name = registered = part.get("config")
            known = module in _FUNCTIONS
        else:
            registered = part.get("registered_name", name)
            known = module in _CLASSES or module.startswith(_INTERNAL)
        own = isinstance(registered, str) and keras.saving.get_registered_object(registered)
        if not (known or own):
            raise UnreadableError(
                f"{path} names {module}.{name}, which Keras does not have for networks. If it is your own, "
                "give a model of that architecture, of which the weights alone are read from the file"
            )
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _refuse_others(path, inner)
