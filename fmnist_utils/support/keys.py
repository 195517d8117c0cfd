"""The key of a training: what its reader gave, described by what it does. No TensorFlow here.

A function counts with its instructions and with all that it closes over, refers to, has bound and calls; a
class with its methods; an object with its state: all this to the depth of the reader's own code. What comes
from a library counts by its name and version, what comes from this package by the code of its module. Names
of layers, comments and docstrings do not count. What cannot be described has no key, and is never taken for
anything else.
"""

import builtins
import dis
import functools
import importlib
import sys
import sysconfig
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils.support import fingerprint

_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
# What a reader's code that uses these gives depends on more than itself: files, clocks, other programs.
_OUTSIDE = {
    *(
        "os",
        "posix",
        "nt",
        "io",
        "_io",
        "time",
        "datetime",
        "pathlib",
        "socket",
        "subprocess",
        "urllib",
        "requests",
    ),
    *("uuid", "secrets", "shutil", "glob", "tempfile", "sys", "inspect", "gc", "importlib", "pickle", "joblib"),
}
_READING = {
    "read_text",
    "read_bytes",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "read_csv",
    "read_json",
    "read_file",
}
_READING |= {"load_model", "load_weights", "load_img", "urlopen", "imread", "__globals__"}
_LOADING = {"load", "open", "memmap"}  # of a library; a reader's own object may have a method of that name
_DYNAMIC = {"eval", "exec", "compile", "globals", "locals", "open", "input", "__import__", "breakpoint"}
_FUNCTIONS = (types.FunctionType, staticmethod, classmethod, property, functools.cached_property)
_FLAGS = ~0x4000000  # of a function, but for whether it has a docstring
_OF_LAYERS = ("name", "inbound_nodes", "input_layers", "output_layers")  # where a configuration names layers


class UnknownError(Exception):
    """Something whose outcome depends on more than can be seen."""


def same_architecture(first: Any, second: Any) -> bool:
    """Whether two Keras models differ in nothing but names and weights."""
    return architecture(first) == architecture(second)


def architecture(model: Any) -> list[Any]:
    """A model's configuration and its layers' own code; neither names nor weights.

    Returns:
        A list of the model's configuration and, for each of its layers, the layer's description.

    Raises:
        UnknownError: some part cannot be described.
        NotImplementedError: Keras has no configuration for it.
    """
    return [without_names(model.get_config()), *(layer(part) for part in layers(model))]


def layers(model: Any) -> list[Any]:
    """A model, its layers, theirs, and so on; without inputs, which a model may get when it is built."""
    return [part for part in model._flatten_layers() if type(part).__name__ != "InputLayer"]


def layer(part: Any) -> dict[str, Any]:
    """A layer's class, settings and, by attribute, what of the reader's code it holds.

    Raises:
        UnknownError: some of it cannot be described.
    """
    describe = _Describer(weights=False)
    found = {"class": describe(type(part))}
    if not hasattr(part, "layers"):  # the settings of a model are those of its layers
        with suppress(NotImplementedError):  # then its attributes say it
            found["settings"] = describe(without_names(part.get_config()))
    common = _attributes_of_any(part) if is_readers(type(part)) else vars(part)
    for name, value in vars(part).items():
        if name not in common and not name.startswith("_self_") and not _is_built(value):
            found[name] = describe(value)
        elif own := [*readers_parts(value)]:
            found[name] = [describe(one) for one in own]
    return found


def readers_parts(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """The reader's functions, classes and objects that Keras's objects hold, but for layers in layers."""
    seen = set() if seen is None else seen
    if id(value) in seen or _is_built(value):
        return
    seen.add(id(value))
    if isinstance(value, types.FunctionType | type):
        if is_readers(value):
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from readers_parts(part, seen)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from readers_parts(part, seen)
    elif is_readers(type(value)):
        yield value
    elif _is_keras(type(value)) and hasattr(value, "__dict__"):
        yield from readers_parts(vars(value), seen)


def described(value: Any) -> Any:
    """Anything that a reader gives to a training, described by what it does, as JSON holds it.

    Raises:
        UnknownError: says what cannot be described.
    """
    return _Describer()(value)


def without_names(config: dict[str, Any]) -> Any:
    """A model's configuration without its layers' names: Keras counts them up within a session."""
    names: dict[str, str] = {}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            inner = part.get("config")
            if isinstance(inner, dict) and "name" in inner and part.get("class_name") != "DTypePolicy":
                names.setdefault(inner["name"], f"layer {len(names)}")
        for value in (
            part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
        ):
            collect(value)

    def rename(part: Any, refers: bool = False) -> Any:
        if isinstance(part, dict):
            return {key: rename(value, refers or key in _OF_LAYERS) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return [rename(value, refers) for value in part]
        return names.get(part, part) if refers and isinstance(part, str) else part

    collect(config)
    return {key: rename(value, key in _OF_LAYERS) for key, value in config.items() if key != "name"}


class _Describer:
    """Describes values; each is visited once, and what refers to itself is named at its second visit."""

    def __init__(self, weights: bool = True) -> None:
        self._weights = weights  # whether those of layers count
        self._done: dict[int, tuple[Any, Any]] = {}  # the value is kept, so that no other gets its id

    def __call__(self, value: Any) -> Any:
        if (
            value is None
            or isinstance(value, bool | int | float | str)
            and type(value).__module__ == "builtins"
        ):
            return value
        if id(value) in self._done:
            return self._done[id(value)][1]
        self._done[id(value)] = value, ["again", getattr(value, "__qualname__", type(value).__qualname__)]
        try:
            found = [type(value).__qualname__.removeprefix("Tracked"), fingerprint.hashed(self._parts(value))]
        except UnknownError:
            raise
        except Exception as error:  # whatever it is that a strange object raises when it is looked at
            raise UnknownError(f"{_name(value)} cannot be looked into ({error})") from error
        self._done[id(value)] = value, found
        return found

    def _parts(self, value: Any) -> Any:
        plain = not is_readers(type(value))  # or it may have attributes
        if isinstance(value, list | tuple) and plain:
            return [self(part) for part in value]
        if isinstance(value, dict | types.MappingProxyType) and plain:
            return [[self(key), self(part)] for key, part in value.items()]
        if isinstance(value, set | frozenset) and plain:
            return sorted(repr(self(part)) for part in value)
        if isinstance(value, bytes | complex | types.EllipsisType | range | slice):
            return repr(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return [self(value.__func__), self(value.__self__)]
        if isinstance(
            value, types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType
        ):
            return self._builtin(value)
        if isinstance(value, type):
            return self._class(value)
        return self._object(value)

    def _array(self, array: np.ndarray) -> Any:
        if array.dtype.hasobject:
            return [array.shape, self(array.ravel().tolist())]
        return [str(array.dtype), array.shape, fingerprint.hashed(np.ascontiguousarray(array).tobytes().hex())]

    def _module(self, module: types.ModuleType) -> Any:
        if not is_readers(module):
            return self._origin_of(module)
        return [
            [name, self(vars(module)[name])] for name in sorted(vars(module)) if _counts(name, vars(module))
        ]

    def _builtin(self, function: Any) -> Any:
        owner = getattr(function, "__self__", None)
        if getattr(function, "__module__", "") == "builtins" and function.__name__ in _DYNAMIC:
            raise UnknownError(f"it uses {function.__name__}(), which may reach anything")
        _refuse_outside(function)
        bound = None if owner is None or isinstance(owner, types.ModuleType) else self(owner)
        return [_origin(function), function.__qualname__, bound]

    def _function(self, function: types.FunctionType) -> Any:
        inside = [cell.cell_contents if _is_filled(cell) else None for cell in function.__closure__ or ()]
        bound = [function.__defaults__, function.__kwdefaults__, *inside]
        if is_readers(function):
            own = {name: value for name, value in vars(function).items() if not name.startswith("_keras")}
            return [
                self._code(function.__code__, function.__globals__),
                [self(part) for part in bound],
                self(own),
            ]
        _refuse_outside(function)
        if "<locals>" not in function.__qualname__:  # a library's own, or its decorator of a reader's
            bound = [*(part for part in bound if isinstance(part, int | float | str)), *readers_parts(bound)]
        return [_origin(function), function.__code__.co_qualname, [self(part) for part in bound]]

    def _class(self, kind: type) -> Any:
        if not is_readers(kind):
            return [_origin(kind), kind.__qualname__]
        members = {
            name: value
            for name, value in vars(kind).items()
            if isinstance(value, _FUNCTIONS) or _counts(name, vars(kind))
        }
        return [
            [self(base) for base in kind.__bases__],
            [[name, self(members[name])] for name in sorted(members)],
        ]

    def _object(self, value: Any) -> Any:
        kind = type(value)
        if kind in (staticmethod, classmethod):
            return self(value.__func__)
        if kind is property:
            return [self(value.fget), self(value.fset), self(value.fdel)]
        if kind is functools.cached_property:
            return self(value.func)
        wrapped = getattr(value, "__wrapped__", None) or getattr(
            value, "python_function", None
        )  # tf.function has that
        if wrapped is not None:
            return [self(kind), self(wrapped)]
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
            return value.__name__
        if _is_keras(kind) and callable(getattr(value, "get_config", None)):
            return self._of_keras(value)
        if hasattr(value, "numpy") and hasattr(value, "dtype"):  # a tensor or a variable
            return self._array(np.asarray(value.numpy()))
        reduced = value.__reduce_ex__(4)  # as pickle and copy see it
        if isinstance(reduced, str):
            return [self(kind), reduced]
        maker, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        state = [state, getattr(value, "__dict__", None)] if is_readers(kind) else state
        return [self(part) for part in (maker, arguments, state, [*(items or ())], dict(pairs or ()))]

    def _of_keras(self, value: Any) -> Any:
        """A layer, optimizer, loss and the like: settings, the reader's code in it, and a layer's weights."""
        settings = self(without_names(value.get_config()))
        if hasattr(value, "apply_gradients"):  # an optimizer: a fresh one is made of its settings
            return [self(type(value)), settings, [self(part) for part in readers_parts(vars(value))]]
        if not hasattr(value, "_flatten_layers"):  # a loss, say, whose settings may lack something
            return [self(type(value)), settings, self(vars(value))]
        weights = [self(weight) for weight in value.variables] if self._weights else []
        return [self(type(value)), settings, [layer(part) for part in layers(value)], weights]

    def _code(self, code: types.CodeType, names: dict[str, Any]) -> Any:
        """A function's instructions, without the lines they came from, and what its global names stand for."""
        told: list[Any] = []
        module = None  # the one that was just loaded, whose attribute probably comes next
        for step in dis.get_instructions(code):
            reached = None
            if step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                reached = self._attribute(module, step.argval)
            elif _is_readers_module(module):
                told.append(self(module))  # it is handed on: all of it counts
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
                reached = self._global(step.argval, names)
            elif step.opname == "IMPORT_NAME":
                reached = importlib.import_module(step.argval)
            if isinstance(reached, type):
                _refuse_outside(reached)
            module = reached if isinstance(reached, types.ModuleType) else None
            value = self._constant(step.argval, names) if step.opcode in dis.hasconst else repr(step.argval)
            told.append([step.opname, value, self._origin_of(module) if module else self(reached)])
        signature = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS]
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return [signature, arguments, code.co_exceptiontable.hex(), told]

    def _constant(self, constant: Any, names: dict[str, Any]) -> Any:
        return self._code(constant, names) if isinstance(constant, types.CodeType) else self(constant)

    def _global(self, name: str, names: dict[str, Any]) -> Any:
        if name not in names and name in _DYNAMIC:
            raise UnknownError(f"it uses {name}(), which may reach anything")
        return names[name] if name in names else getattr(builtins, name, None)

    def _attribute(self, module: types.ModuleType | None, name: str) -> Any:
        of_library = module is not None and not is_readers(module)
        if name in _READING or (of_library and name in _LOADING):
            raise UnknownError(f"it uses {name}, which looks outside of it")
        return getattr(module, name, None)

    def _origin_of(self, module: types.ModuleType) -> Any:
        _refuse_outside(module)
        return module.__name__ if is_readers(module) else _origin(module)


def _refuse_outside(value: Any) -> None:
    if _root(value) in _OUTSIDE:
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


def _is_readers_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and is_readers(value)


def is_readers(value: Any) -> bool:
    """Whether a function, class or module is the reader's: of a notebook, or of a file that is no library's."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(_home(value))
    if module is None or module.__name__ == "__main__":
        return not isinstance(value, types.ModuleType) or value.__name__ == "__main__"
    if module.__name__ in sys.builtin_module_names or module.__name__.partition(".")[0] in _known():
        return False
    file = Path(getattr(module, "__file__", None) or _LIBRARIES[0])
    return not any(file.is_relative_to(place) for place in _LIBRARIES) and "site-packages" not in file.parts


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(
        {fingerprint.PACKAGE.name, "keras", "tensorflow", "numpy", *sys.stdlib_module_names} - {"__main__"}
    )


def _is_keras(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "keras" for base in kind.__mro__)


def _is_built(value: Any) -> bool:
    """Whether a layer's attribute is a layer, a weight, a tensor or Keras's bookkeeping, or holds only such."""
    if isinstance(value, list | tuple | dict):
        return len(value) > 0 and all(map(_is_built, value.values() if isinstance(value, dict) else value))
    kinds = {base.__name__ for base in type(value).__mro__}
    return bool(
        kinds & {"Layer", "Variable", "KerasTensor", "Tensor", "Node", "Tracker", "SeedGenerator", "Metric"}
    )


def _attributes_of_any(part: Any) -> set[str]:
    """The attributes that every layer of Keras's has, and every model."""
    import keras  # loaded already: there is a layer

    plain = keras.Layer() if not isinstance(part, keras.Model) else keras.Sequential([keras.Input((1,))])
    return {*vars(plain), "built", "_build_shapes_dict", "_functional", "_inputs_struct", "_outputs_struct"}


def _counts(name: str, names: dict[str, Any]) -> bool:
    return name in names and not (name.startswith("__") and name.endswith("__")) and name != "_abc_impl"


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


def _root(value: Any) -> str:
    return _home(value).partition(".")[0]


def _name(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return f"{_root(value)}.{name}" if _root(value) not in ("", "__main__", "builtins") else name
