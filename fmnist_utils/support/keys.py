"""The key of a training: what its reader gave, described by what it does. No TensorFlow here.

A function counts with its instructions and with all that it closes over, refers to, has bound and calls; a
class with its methods; an object with its state: all this to the depth of the reader's own code. What comes
from a library counts by its name and version, what comes from this package by the code of its module. Names
of layers, comments and docstrings do not count. What cannot be described has no key, and is never taken for
anything else. Containers, arrays and objects are joblib's to hash; functions and classes, which it knows by
their names alone, are looked into here.
"""

import builtins
import dis
import functools
import importlib
import os
import sys
import sysconfig
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from joblib import hashing

from fmnist_utils.support import fingerprint

_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_KNOWN = {fingerprint.PACKAGE.name, "keras", "tensorflow", *sys.stdlib_module_names} - {"__main__"}
# What a reader's code that uses these gives depends on more than itself: files, clocks, other programs.
_OUTSIDE = {
    *("os", "posix", "nt", "io", "_io", "time", "datetime", "pathlib", "socket", "subprocess", "urllib"),
    *("requests", "uuid", "secrets", "shutil", "glob", "tempfile", "sys", "inspect", "gc", "importlib"),
    *("pickle", "joblib"),
}
_READING = {
    *("load", "open", "memmap", "loadtxt", "genfromtxt", "fromfile", "loadmat", "imread", "urlopen", "GFile"),
    *("load_model", "load_weights", "load_img", "TFRecordDataset", "TextLineDataset", "__globals__"),
}
_OF_PYTHON = {  # of every class, or said elsewhere
    *("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "_abc_impl"),
    *("__abstractmethods__", "__dataclass_fields__", "__dataclass_params__", "__match_args__"),
    *("__parameters__", "__orig_bases__", "__firstlineno__", "__static_attributes__", "__annotate__"),
    *("__annotate_func__", "__annotations_cache__"),
}
_DESCRIPTORS = types.MemberDescriptorType | types.GetSetDescriptorType | types.MethodDescriptorType
_OF_PICKLE = ("__getstate__", "__reduce__", "__reduce_ex__")  # an object with one may leave out some state
_DYNAMIC = {"eval", "exec", "compile", "globals", "locals", "open", "input", "__import__", "breakpoint"}
_DOCUMENTED = 0x4000000  # whether a function has a docstring, among its flags
_OF_CALLS = ("build_config", "build_input_shape")  # they come when a model is first called
_WRAPPED = ("build", "quantize")  # on each layer Keras wraps its class's methods, which the class has said
_OF_LAYERS = ("name", "inbound_nodes", "input_layers", "output_layers")  # where a configuration names layers


class UnknownError(Exception):
    """Something whose outcome depends on more than can be seen."""


def same_architecture(first: Any, second: Any) -> bool:
    """Whether two Keras models differ in nothing but names and weights."""
    return architecture(first) == architecture(second)


def architecture(model: Any) -> list[Any]:
    """A model's configuration and its layers' own code; neither names nor weights.

    Raises:
        UnknownError: some part cannot be described.
    """
    try:
        config = without_names(model.get_config())
    except Exception as error:  # of Keras's, or of a get_config of the reader's
        raise UnknownError("Keras does not get its configuration") from error
    return [config, *map(layer, layers(model))]


def layers(model: Any) -> list[Any]:
    """A model, its layers, theirs, and so on; without inputs, which a model may get when it is built."""
    return [part for part in model._flatten_layers() if type(part).__name__ != "InputLayer"]


def layer(part: Any) -> dict[str, str]:
    """A layer's class, settings and, by attribute, what of the reader's code it holds, each described.

    Raises:
        UnknownError: some of it cannot be described.
    """
    own = is_readers(type(part))
    found: dict[str, Any] = {"class": type(part), "trainable": part.trainable, "dtype": part.dtype_policy.name}
    if not hasattr(part, "layers"):  # the settings of a model are those of its layers
        with suppress(NotImplementedError):  # then its attributes say it
            found["settings"] = without_names(part.get_config())
    elif not own:
        return {name: described(value) for name, value in found.items()}
    common = _attributes_of_any(hasattr(part, "layers")) if own else vars(part)
    for name, value in vars(part).items():
        if name not in common and not name.startswith("_self_") and not _is_built(value):
            found[name] = value
        elif name not in _WRAPPED and (parts := [*readers_parts(value)]):
            found[name] = parts
    return {name: described(value, weights=False) for name, value in found.items()}


def readers_parts(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """The reader's functions, classes and objects that Keras's objects hold, but for layers in layers."""
    seen = set() if seen is None else seen
    if id(value) in seen or _is_built(value):
        return
    seen.add(id(value))
    inner: Any = value if isinstance(value, types.FunctionType | type) else type(value)
    if isinstance(value, types.FunctionType) and not is_readers(value):
        inner = getattr(value, "__wrapped__", value)  # a library's decorator of a reader's function
    elif isinstance(value, types.MethodType | functools.partial):
        inner = value.__func__ if isinstance(value, types.MethodType) else value.func
    if is_readers(inner):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from readers_parts(part, seen)
    elif _is_keras(type(value)) and hasattr(value, "__dict__"):
        yield from readers_parts(vars(value), seen)


def described(value: Any, weights: bool = True) -> str:
    """Anything that a reader gives to a training, hashed by what it does.

    Args:
        value: a function, an object, or plain data.
        weights: whether those of layers count.

    Raises:
        UnknownError: says what cannot be described.
    """
    try:
        return _Hasher(weights).hash(value)
    except UnknownError:
        raise
    except Exception as error:  # whatever it is that a strange object raises when it is looked at
        raise UnknownError(f"it cannot be looked into ({error})") from error


def optimizer_settings(optimizer: Any) -> dict[str, str]:
    """What was set on an optimizer, also after it was made, each described; its state is left out."""
    told = {name: value for name, value in vars(optimizer).items() if not _is_built(value)}
    told = {name: value for name, value in told.items() if name[0] != "_" or name.startswith("_exclude")}
    left_out = ("name", "built", "_exclude_from_weight_decay_cache")
    return {name: described(value) for name, value in told.items() if name not in left_out}


def without_names(config: dict[str, Any]) -> Any:
    """A model's configuration without its layers' names: Keras counts them up within a session."""
    names: dict[str, str] = {}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            inner = part.get("config")
            if isinstance(inner, dict) and "name" in inner and part.get("class_name") != "DTypePolicy":
                names.setdefault(inner["name"], f"layer {len(names)}")
        if isinstance(part, dict | list | tuple):
            for value in part.values() if isinstance(part, dict) else part:
                collect(value)

    def rename(part: Any, refers: bool = False) -> Any:
        if isinstance(part, dict):
            kept = {key: value for key, value in part.items() if key not in _OF_CALLS}
            return {key: rename(value, refers or key in _OF_LAYERS) for key, value in kept.items()}
        if isinstance(part, list | tuple):
            return [rename(value, refers) for value in part]
        return names.get(part, part) if refers and isinstance(part, str) else part

    collect(config)
    return rename({key: value for key, value in config.items() if key != "name"})


class _Hasher(hashing.NumpyHasher):
    """joblib's hasher, which is given plain parts in the place of functions, classes and Keras's objects."""

    def __init__(self, weights: bool) -> None:
        super().__init__("sha1")
        self._weights = weights
        self._begun: dict[int, tuple[int, Any]] = {}  # what was begun is kept, so that nothing else gets its id

    def save(self, obj: Any) -> None:
        super().save(self._parts(obj))

    def _parts(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, dict | types.MappingProxyType) and not is_readers(kind):
            return ["dict", getattr(value, "default_factory", None), *value.items()]  # in its order
        if isinstance(value, set | frozenset) and not is_readers(kind):
            return ["set", *sorted(described(part, self._weights) for part in value)]
        if isinstance(value, list) and _is_keras(kind):
            return [*value]
        if isinstance(value, os.PathLike) and not isinstance(value, type):
            raise UnknownError(f"it holds the path {value}, whose file may change")
        looks_into = self._look_into(value)
        if looks_into is None:
            return value
        if id(value) in self._begun:
            return ["again", self._begun[id(value)][0]]
        self._begun[id(value)] = len(self._begun), value
        return [_name(value), *looks_into(value)]

    def _look_into(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, types.ModuleType):
            return self._module
        if isinstance(value, types.FunctionType):
            return self._function
        if isinstance(value, types.MethodType):
            return lambda method: [method.__func__, method.__self__]
        if isinstance(value, types.BuiltinFunctionType):
            _refuse_outside(value)
            return None
        if isinstance(value, type):
            return self._class
        if isinstance(value, staticmethod | classmethod | property | functools.cached_property):
            return self._member
        if isinstance(value, _DESCRIPTORS):
            return lambda descriptor: []
        if _is_keras(kind) and callable(getattr(value, "get_config", None)):
            return self._of_keras
        if is_readers(kind):
            hides = any(is_readers(getattr(kind, name, None)) for name in _OF_PICKLE)
            return (lambda own: [type(own), vars(own)]) if hides else None
        wrapped = getattr(value, "__wrapped__", None) or getattr(value, "python_function", None)
        if wrapped is not None:  # the second is tf.function's
            return lambda wrapper: [wrapped]
        if hasattr(value, "numpy") and hasattr(value, "dtype"):
            return lambda tensor: [np.asarray(tensor.numpy())]
        return None

    def _module(self, module: types.ModuleType) -> list[Any]:
        if not is_readers(module):
            return [_origin(module)]
        return [(name, vars(module)[name]) for name in sorted(vars(module)) if not name.startswith("__")]

    def _function(self, function: types.FunctionType) -> list[Any]:
        inside = [cell.cell_contents if _is_filled(cell) else None for cell in function.__closure__ or ()]
        bound = [function.__defaults__, function.__kwdefaults__, *inside]
        if is_readers(function):
            own = {name: value for name, value in vars(function).items() if not name.startswith("_keras")}
            return [*self._code(function.__code__, function.__globals__), bound, own]
        _refuse_outside(function)
        if "<locals>" not in function.__qualname__:  # a library's own, or its decorator of a reader's
            bound = [*(part for part in bound if isinstance(part, int | float | str)), *readers_parts(bound)]
        return [_origin(function), function.__code__.co_qualname, bound]

    def _class(self, kind: type) -> list[Any]:
        if not is_readers(kind):
            return [_origin(kind)]
        members = [(name, vars(kind)[name]) for name in sorted(vars(kind)) if name not in _OF_PYTHON]
        return [type(kind), kind.__bases__, members]

    def _member(self, member: Any) -> list[Any]:
        if isinstance(member, property):
            return [member.fget, member.fset, member.fdel]
        return [member.func if isinstance(member, functools.cached_property) else member.__func__]

    def _of_keras(self, value: Any) -> list[Any]:
        """A layer, optimizer, loss and the like: settings, the reader's code in it, and a layer's weights."""
        kind, settings = type(value), without_names(value.get_config())
        if hasattr(value, "apply_gradients"):
            return [kind, settings, optimizer_settings(value), *readers_parts(vars(value))]
        if hasattr(value, "_flatten_layers"):
            return [kind, settings, *map(layer, layers(value)), value.weights if self._weights else []]
        if not is_readers(kind) and not any(base.__name__ == "Loss" for base in kind.__mro__):
            return [kind, settings, *readers_parts(vars(value))]
        # The settings of a loss may lack something; the seed of an initializer may be drawn.
        state = {name: one for name, one in vars(value).items() if name not in ("name", "seed")}
        return [kind, settings, state]

    def _code(self, code: types.CodeType, names: dict[str, Any]) -> list[Any]:
        """A function's instructions, without the lines they came from, and what its global names stand for."""
        told: list[Any] = []
        module = None  # the one that was just loaded, whose attribute probably comes next
        for step in dis.get_instructions(code):
            reached = None
            if step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                reached = _attribute(module, step.argval)
            elif module is not None and is_readers(module):
                told.append(module)  # it is handed on: all of it counts
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
                reached = _global(step.argval, names)
            elif step.opname == "IMPORT_NAME":
                reached = importlib.import_module(step.argval)
            if isinstance(reached, types.ModuleType | type):
                _refuse_outside(reached)
            if (name := getattr(reached, "__name__", "")) in _READING and not is_readers(reached):
                raise UnknownError(f"it uses {name}, which looks outside of it")
            module = reached if isinstance(reached, types.ModuleType) else None
            constant = step.argval if step.opcode in dis.hasconst else repr(step.argval)
            if isinstance(constant, types.CodeType):
                constant = self._code(constant, names)
            told.append([step.opname, constant])
            told.append(module.__name__ if module is not None and is_readers(module) else reached)
        counts = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount]
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return [counts, code.co_flags & ~_DOCUMENTED, arguments, code.co_exceptiontable, told]


def _global(name: str, names: dict[str, Any]) -> Any:
    value = names[name] if name in names else getattr(builtins, name, None)
    if name in _DYNAMIC and not is_readers(value):  # IPython has an open() of its own
        raise UnknownError(f"it uses {name}(), which may reach anything")
    return value


def _attribute(module: types.ModuleType | None, name: str) -> Any:
    if name in _READING or name.startswith("read_"):
        raise UnknownError(f"it uses {name}, which looks outside of it")
    return getattr(module, name, None)


def _refuse_outside(value: Any) -> None:
    if _home(value).partition(".")[0] in _OUTSIDE:
        raise UnknownError(f"it uses {_name(value)}, which looks outside of it")


def _origin(value: Any) -> Any:
    """Where something of a library or of this package comes from, and in which version."""
    name = _home(value)
    root, _, rest = name.partition(".")
    if root == fingerprint.PACKAGE.name:
        return [name, _package_code(rest)]
    return [name, str(getattr(sys.modules.get(root), "__version__", ""))]


@functools.cache
def _package_code(module: str) -> str:
    path = fingerprint.PACKAGE.joinpath(*module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return fingerprint.hashed(fingerprint.codes(fingerprint.with_imports(file)))


def is_readers(value: Any) -> bool:
    """Whether a function, class or module is the reader's: of a notebook, or of a file that is no library's."""
    home = _home(value)
    if home in ("", "__main__"):
        return True
    if home in sys.builtin_module_names or home.partition(".")[0] in _KNOWN or home not in sys.modules:
        return home not in sys.modules and home.partition(".")[0] not in _KNOWN
    file = Path(getattr(sys.modules[home], "__file__", None) or _LIBRARIES[0])
    return not any(file.is_relative_to(place) for place in _LIBRARIES) and "site-packages" not in file.parts


def _is_keras(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "keras" for base in kind.__mro__)


def _is_built(value: Any) -> bool:
    """Whether a layer's attribute is a layer, a weight, a tensor or Keras's bookkeeping, or holds only such."""
    if isinstance(value, list | tuple | dict):
        return len(value) > 0 and all(map(_is_built, value.values() if isinstance(value, dict) else value))
    of_keras = {base.__name__ for base in type(value).__mro__ if base.__module__.partition(".")[0] == "keras"}
    return bool(of_keras & {"Layer", "Variable", "KerasTensor", "Node", "Tracker", "SeedGenerator", "Metric"})


@functools.cache
def _attributes_of_any(model: bool) -> set[str]:
    """The attributes that every layer of Keras's has, or every model."""
    import keras  # loaded already: there is a layer

    if not model:
        return {*vars(keras.Layer()), "built", "_build_shapes_dict"}
    inputs = keras.Input((1,))
    plain = [keras.Sequential([inputs]), keras.Model(inputs, inputs)]
    for one in plain:
        one.compile("sgd", "mse", metrics=["accuracy"])
    return {name for one in plain for name in vars(one)} | {"built", "_build_shapes_dict"}


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # it is filled later, by the class that is being defined, say
        return False


def _home(value: Any) -> str:
    """The name of the module in which a function, class or module was written."""
    if isinstance(value, types.FunctionType):  # its __module__ may be that of what it wraps
        return value.__globals__.get("__name__") or ""
    return value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or ""


def _name(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return name if _home(value) in ("", "__main__", "builtins", "io") else f"{_home(value)}.{name}"
