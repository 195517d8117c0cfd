"""Weights in PyTorch's old file format, read without PyTorch; no code that a file names is executed.

Such a file is five pickles (a magic number, a version, the writer's machine, the tensors' shapes by name, the
order of the storages), then the storages' numbers. A pickle may name any function of any module and have it
called; here it can name the four in ``_NAMES`` (https://docs.python.org/3/library/pickle.html,
"Restricting globals").
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fmnist_utils.support.files import UnreadableError

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_MOST = 20_000  # of a pickle's opcodes: the real file's longest has under 12,000
# What weights are written with. Others may ask for any amount of memory, or nest until Python breaks down.
_OPCODES = {
    *("PROTO", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "STOP", "MARK", "BINPUT", "LONG_BINPUT", "BINGET"),
    *("LONG_BINGET", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "NONE"),
    *("NEWTRUE", "NEWFALSE"),
}
_COUNT = np.dtype("<i8")  # each storage is preceded by the number of its values


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    values: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file's tensors, by their names, read-only: float32 or int64.

    For files whose checksum is known: others are refused, but may take long.

    Raises:
        UnreadableError: it is no such file, is cut off, or names something else than contiguous tensors.
    """
    file = io.BytesIO(content)
    try:
        if (_load(file), _load(file)) != (_MAGIC, _VERSION):
            raise UnreadableError("it is no file of PyTorch's old format")
        _, tensors, order = (_load(file) for _ in range(3))
        if not all(type(tensor) is _Tensor for tensor in tensors.values()):
            raise UnreadableError("it holds something else than tensors")
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        if set(order) != set(storages):
            raise UnreadableError("its storages are not those of its tensors")
        if any(tensor.storage != storages[tensor.storage.key] for tensor in tensors.values()):
            raise UnreadableError("it holds a storage of two kinds")
        arrays = {key: _values(file, storages[key]) for key in order}
        return {name: _array(tensor, arrays[tensor.storage.key]) for name, tensor in tensors.items()}
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # whatever pickle and NumPy raise of a damaged file
        fault = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"it cannot be read as PyTorch's weights ({fault[:200]})") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise UnreadableError(
                f"it names {module}.{name}, which no weights need; nothing of it was executed"
            )
        made = _NAMES[module, name]
        return (lambda *parts: made(*parts)) if made is _tensor else made  # a pickle may change a function

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, values, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise UnreadableError("it holds something else than plain storages")
        return _Storage(key, dtype, values)


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    """What stands in for PyTorch's own rebuilding of a tensor."""
    if type(storage) is not _Storage:
        raise UnreadableError("it holds a tensor without a storage")
    if tuple(strides) != tuple(prod(shape[axis + 1 :]) for axis in range(len(shape))):
        raise UnreadableError("it holds a tensor whose values do not lie in their order")
    if offset < 0 or min(shape, default=0) < 0 or offset + prod(shape) > storage.values:
        raise UnreadableError("it holds a tensor that reaches beyond its storage")
    return _Tensor(storage, offset, tuple(shape))


_NAMES = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


def _load(file: io.BytesIO) -> Any:
    """The next pickle, looked through before anything is made of it."""
    begin = file.tell()
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        far = opcode.name == "LONG_BINPUT" and (argument or 0) > _MOST
        if opcode.name not in _OPCODES or number > _MOST or far:
            raise UnreadableError(f"it holds {opcode.name}, or more of it, than weights need")
    file.seek(begin)
    return _Unpickler(file).load()


def _values(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    (count,) = np.frombuffer(file.read(_COUNT.itemsize), _COUNT)
    content = file.read(storage.values * storage.dtype.itemsize)
    if count != storage.values or len(content) != count * storage.dtype.itemsize:
        raise UnreadableError("it is cut off")
    return np.frombuffer(content, storage.dtype)


def _array(tensor: _Tensor, values: np.ndarray) -> np.ndarray:
    return values[tensor.offset : tensor.offset + prod(tensor.shape)].reshape(tensor.shape)
