"""A file of PyTorch's old format is read whole or refused, and nothing that it names is executed."""

import collections
import copyreg
import io
import os
import pickle
import random
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import wait_until

from fmnist_utils.support import torch_files
from fmnist_utils.support.files import UnreadableError

PARTS = ("magic", "version", "machine", "tensors", "order")  # the five pickles
STORAGES = {np.dtype("<f4"): "FloatStorage", np.dtype("<i8"): "LongStorage", np.dtype("<f2"): "HalfStorage"}
COUNT = "<i8"


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """A module in PyTorch's place, for pickle to find the names in."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_):
        raise AssertionError("nobody calls this one")

    def load(path):
        Path(path).touch()

    for module, name, function in ((torch, "load", load), (utils, "_rebuild_tensor_v2", rebuild)):
        function.__module__, function.__qualname__ = module.__name__, name
        setattr(module, name, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)


@dataclass
class Storage:
    """Values, and what a file says of them where that is not so."""

    values: np.ndarray
    key: str = "0"
    count: int | None = None  # as it stands before the values
    claimed: int | None = None  # as it stands in the tensors' pickle

    def persistent_id(self) -> Any:
        kind = getattr(sys.modules["torch"], STORAGES[self.values.dtype])
        return ("storage", kind, self.key, "cpu", self.length(self.claimed), None)

    def content(self) -> bytes:
        return np.array(self.length(self.count), COUNT).tobytes() + self.values.tobytes()

    def length(self, instead: int | None) -> int:
        return len(self.values) if instead is None else instead


@dataclass
class Tensor:
    """A view of a storage, as PyTorch pickles it, and what is put into it afterwards."""

    storage: Any
    offset: int = 0
    shape: tuple = (2, 3)
    strides: tuple = (3, 1)
    state: dict | None = None

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, self.offset, self.shape, self.strides, False, OrderedDict()), self.state


class Call:
    """In a pickle, the call of a function, and what is put into its result."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = function, arguments, state

    def __reduce__(self):
        return self.reduced


class Restored:
    """What leaves its mark when pickle gives it its state."""

    def __init__(self, marker: str):
        self.marker = marker

    def __setstate__(self, state):
        Path(state["marker"]).touch()


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        return thing.persistent_id() if isinstance(thing, Storage) else None


def pickled(thing) -> bytes:
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(thing)
    return buffer.getvalue()


def content(tensors: dict, /, **instead) -> bytes:
    """A file of these tensors, with other things, or other bytes, in place of some of its five pickles."""
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    things = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tensors, list(storages))
    parts = dict(zip(PARTS, things, strict=True)) | instead
    whole = [part if isinstance(part, bytes) else pickled(part) for part in parts.values()]
    return b"".join(whole + [storage.content() for storage in storages.values()])


def six() -> Storage:
    return Storage(np.arange(6, dtype="<f4"))


def small() -> dict[str, Tensor]:
    """Two storages, four tensors, and what PyTorch notes beside them."""
    floats, whole = Storage(np.arange(10, dtype="<f4")), Storage(np.array([-7, 2**40]), "1")
    tensors = OrderedDict(
        {
            "matrix": Tensor(floats),
            "with an offset": Tensor(floats, 6, (4,), (1,)),
            "scalar": Tensor(whole, 1, (), ()),
            "empty": Tensor(whole, 2, (0,), (1,)),
        }
    )
    tensors._metadata = OrderedDict(version=1)
    return tensors


def text(value: str) -> bytes:
    """The opcode of a text."""
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def test_a_sound_file_gives_its_arrays_read_only():
    arrays = torch_files.read(content(small()))
    expected = {
        "matrix": np.arange(6, dtype="f4").reshape(2, 3),
        "with an offset": np.arange(6, 10, dtype="f4"),
        "scalar": np.array(2**40),
        "empty": np.empty(0, "i8"),
    }
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        assert np.array_equal(arrays[name], array)
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert not arrays[name].flags.writeable


HOSTILE = {
    "os.system": lambda marker: Call(os.system, f'echo > "{marker}"'),
    "eval": lambda marker: Call(eval, f"open({marker!r}, 'w').close()"),
    "exec": lambda marker: Call(exec, f"open({marker!r}, 'w').close()"),
    "Popen": lambda marker: Call(subprocess.Popen, [sys.executable, "-c", f"open({marker!r}, 'w').close()"]),
    "a class with a state": Restored,
    "copyreg": lambda marker: Call(copyreg._reconstructor, Restored, object, None, state={"marker": marker}),
    "torch.load": lambda marker: Call(sys.modules["torch"].load, marker),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_pickle_itself_executes_what_the_next_test_has_refused(kind, tmp_path):
    marker = tmp_path / "executed"
    made = pickle.loads(pickled(HOSTILE[kind](str(marker))))
    wait_until(marker.exists)
    if kind == "Popen":
        made.wait()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_that_a_file_names_is_executed(kind, part, tmp_path):
    marker = tmp_path / "executed"
    hostile = content(small(), **{part: {"deep": [HOSTILE[kind](str(marker))]}})
    with pytest.raises(UnreadableError):
        torch_files.read(hostile)
    assert not marker.exists()


@pytest.mark.parametrize("way", ["GLOBAL", "INST", "STACK_GLOBAL"])
@pytest.mark.parametrize(
    "name",
    [
        *("collections namedtuple", "collections OrderedDict.fromkeys", "__builtin__ getattr"),
        *("torch load", "torch HalfStorage", "torch._utils _rebuild_tensor", "torch.storage _load_from_bytes"),
        *("copy_reg _reconstructor", "numpy.core.multiarray scalar", "fmnist_utils.support.files store"),
    ],
)
def test_a_name_other_than_the_four_is_refused_however_it_is_written(name, way):
    module, function = name.split()
    written = {
        "GLOBAL": f"c{module}\n{function}\n".encode(),
        "INST": f"(i{module}\n{function}\n".encode(),
        "STACK_GLOBAL": text(module) + text(function) + b"\x93",
    }[way]
    with pytest.raises(UnreadableError, match=f"it names {module}.{function}," if way == "GLOBAL" else None):
        torch_files.read(content(small(), machine=b"\x80\x04" + written + b"."))


def test_an_ordered_dict_is_named_by_sound_files():
    assert torch_files.read(content(small(), machine=collections.OrderedDict(a=1))).keys() == small().keys()


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(Tensor(six(), **fields), id=name)
        for name, fields in {
            "one value too many": {"shape": (7,), "strides": (1,)},
            "an offset too many": {"offset": 1},
            "a scalar behind the end": {"offset": 6, "shape": (), "strides": ()},
            "2**80 values": {"shape": (2**40, 2**40), "strides": (2**40, 1)},
            "an offset before the beginning": {"offset": -1, "shape": (2,), "strides": (1,)},
            "a negative shape": {"shape": (-1,), "strides": (1,)},
            "two negative axes": {"shape": (-2, -3), "strides": (-3, 1)},
            "transposed": {"shape": (3, 2), "strides": (1, 3)},
            "strides of zero": {"strides": (0, 0)},
            "one stride of zero": {"strides": (0, 1)},
            "backwards": {"strides": (-3, -1)},
            "every second value": {"shape": (3,), "strides": (2,)},
            "no strides": {"strides": ()},
            "a shape of fractions": {"shape": (2.0, 3.0), "strides": (3.0, 1.0)},
            "a shape that is no number": {"shape": (float("nan"),), "strides": (1,)},
            "65 axes": {"shape": (1,) * 65, "strides": (1,) * 65},
        }.items()
    ],
)
def test_a_tensor_that_is_no_contiguous_part_of_its_storage_is_refused(tensor):
    with pytest.raises(UnreadableError):
        torch_files.read(content({"tensor": tensor}))


@pytest.mark.parametrize("state", [{"offset": -4}, {"shape": (-1,)}, {"shape": (3,), "offset": 1}])
def test_a_tensor_that_is_changed_once_it_was_checked_is_refused(state):
    with pytest.raises(UnreadableError):
        torch_files.read(content({"tensor": Tensor(six(), 0, (3,), (1,), state)}))


def test_what_only_looks_like_a_tensor_is_refused():
    looks = {"storage": six(), "offset": -4, "shape": (3,)}
    tensors = {"sound": Tensor(six()), "tensor": Call(OrderedDict, state=looks)}
    with pytest.raises(UnreadableError):
        torch_files.read(content({"sound": Tensor(six())}, tensors=tensors))


def test_what_only_looks_like_a_storage_is_refused():
    halves = Call(OrderedDict, {"names": ["half", "other"], "formats": ["<f2", "<f2"]}, state={"itemsize": 4})
    looks = Call(OrderedDict, state={"key": "0", "values": 6, "dtype": halves})
    with pytest.raises(UnreadableError):
        torch_files.read(content({"tensor": Tensor(six())}, tensors={"tensor": Tensor(looks)}))


def test_a_storage_of_two_kinds_is_refused():
    whole = Storage(np.arange(6))
    with pytest.raises(UnreadableError):
        torch_files.read(content({"first": Tensor(six()), "second": Tensor(whole)}))


def test_what_a_file_does_to_the_readers_own_function_does_not_outlive_it():
    name, defaults = b"ctorch._utils\n_rebuild_tensor_v2\n", text("__defaults__") + b"(K\x03K\x01t\x85"
    with pytest.raises(UnreadableError):
        torch_files.read(b"\x80\x02" + name + b"N}" + defaults + b"s\x86b.")
    rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
    without_strides = {"tensor": Call(rebuild, six(), 0, (2, 3))}
    with pytest.raises(UnreadableError):
        torch_files.read(content({"tensor": Tensor(six())}, tensors=without_strides))


def sound_id() -> tuple:
    return six().persistent_id()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda pid: ("module", *pid[1:]), id="another kind"),
        pytest.param(lambda pid: pid[:5], id="too short"),
        pytest.param(lambda pid: (*pid, None), id="too long"),
        pytest.param(lambda pid: (*pid[:5], ("a view", 0, 6)), id="a view"),
        pytest.param(lambda pid: (pid[0], "<f4", *pid[2:]), id="a text for its kind"),
        pytest.param(lambda pid: (pid[0], OrderedDict, *pid[2:]), id="another class for its kind"),
        pytest.param(lambda pid: (*pid[:2], ["0"], *pid[3:]), id="a list for its key"),
        pytest.param(lambda pid: (*pid[:4], "6", None), id="a text for its count"),
        pytest.param(lambda pid: (*pid[:4], 6.0, None), id="a fraction for its count"),
        pytest.param(lambda _: "storag", id="a text of six letters"),
        pytest.param(lambda _: 6, id="a number"),
    ],
)
def test_a_persistent_id_of_another_form_is_refused(change, monkeypatch):
    assert torch_files.read(content({"tensor": Tensor(six())}))
    changed = change(sound_id())
    monkeypatch.setattr(Storage, "persistent_id", lambda _: changed)
    with pytest.raises(UnreadableError):
        torch_files.read(content({"tensor": Tensor(six())}))


@contextmanager
def little_memory():
    """Fail what takes more than a megabyte."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


LIES = [5, 7, 0, -1, -6, 2**30, 2**60, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("where", [["count"], ["claimed"], ["count", "claimed"]], ids="-".join)
def test_a_count_that_lies_is_refused_and_takes_no_memory(where, lie):
    lying = content({"tensor": Tensor(replace(six(), **dict.fromkeys(where, lie)))})
    with little_memory(), pytest.raises(UnreadableError):
        torch_files.read(lying)


def test_a_shorter_storage_under_the_key_of_a_longer_is_refused():
    lying = {"tensor": Tensor(six()), "last": Tensor(Storage(np.zeros(2, "<f4")), 0, (2,), (1,))}
    with pytest.raises(UnreadableError):
        torch_files.read(content(lying))


@pytest.mark.parametrize("order", [["0"], ["0", "1", "2"], ["1", "0"], [["0"], ["1"]], 2, None, []], ids=str)
def test_an_order_that_is_not_that_of_the_storages_is_refused(order):
    with pytest.raises(UnreadableError):
        torch_files.read(content(small(), order=order))


@pytest.mark.parametrize("tensors", [[], None, {"a": 1}, {"a": {}}, {"a": OrderedDict}, OrderedDict], ids=repr)
def test_what_is_no_list_of_tensors_is_refused(tensors):
    with pytest.raises(UnreadableError):
        torch_files.read(content(small(), tensors=tensors))


@pytest.mark.parametrize("instead", [{"magic": 1}, {"version": 1000}, {"version": None}], ids=str)
def test_another_magic_number_or_version_is_refused(instead):
    with pytest.raises(UnreadableError, match="old format"):
        torch_files.read(content(small(), **instead))


def test_a_file_that_was_cut_off_anywhere_is_refused():
    whole = content(small())
    for end in [*range(0, len(whole), 50), *range(len(whole) - 70, len(whole))]:
        with pytest.raises(UnreadableError):
            torch_files.read(whole[:end])


def test_a_damaged_byte_is_noticed_or_does_no_harm():
    whole = content(small())
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        try:
            torch_files.read(bytes(damaged))
        except UnreadableError:
            pass
        except BaseException as error:
            raise AssertionError(f"byte {place}: {error!r}") from error


def test_pytorchs_new_format_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled({}))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(UnreadableError):
        torch_files.read(buffer.getvalue())


def test_what_is_no_file_of_weights_is_refused():
    for foreign in (b"", b"\n", b".", b"<html>not found</html>", bytes(1000), pickled({"a": 1})):
        with pytest.raises(UnreadableError):
            torch_files.read(foreign)
    rng = random.Random(0)
    for _ in range(300):
        with pytest.raises(UnreadableError):
            torch_files.read(rng.randbytes(rng.randrange(1, 500)))


@pytest.mark.parametrize(
    "opcodes",
    [
        pytest.param(b"Nr" + (2**22).to_bytes(4, "little"), id="a far place in the memo"),
        pytest.param(b"B" + (2**28).to_bytes(4, "little"), id="256 MB of bytes"),
        pytest.param(b"\x8e" + (2**60).to_bytes(8, "little"), id="an exabyte of bytes"),
        pytest.param(b"\x96" + (2**28).to_bytes(8, "little"), id="256 MB of a bytearray"),
        pytest.param(b"\x96" + (2**60).to_bytes(8, "little"), id="an exabyte of a bytearray"),
        pytest.param(b"X" + (2**31).to_bytes(4, "little"), id="2 GB of text"),
        pytest.param(b"\x95" + (2**60).to_bytes(8, "little"), id="an exabyte in a frame"),
    ],
)
def test_a_short_pickle_that_promises_much_takes_no_memory(opcodes):
    with little_memory(), pytest.raises(UnreadableError):
        torch_files.read(content(small(), machine=b"\x80\x05" + opcodes + b"short."))


READ = """
import sys
from pathlib import Path
from fmnist_utils.support import files, torch_files
try:
    torch_files.read(Path(sys.argv[1]).read_bytes())
except files.UnreadableError:
    print("refused")
"""


@pytest.mark.parametrize("depth", [2_000, 100_000, 1_000_000])
@pytest.mark.parametrize(
    ("part", "nest"),
    [
        pytest.param("magic", lambda depth: b"]" * depth + b"a" * (depth - 1), id="lists"),
        pytest.param("tensors", lambda depth: b"]" * depth + b"a" * (depth - 1), id="lists of tensors"),
        pytest.param("tensors", lambda depth: b"}K\x01)" + b"\x85" * depth + b"s", id="a tuple for a tensor"),
        pytest.param("tensors", lambda depth: b"})" + b"\x85" * depth + b"K\x01s", id="a tuple for a name"),
        pytest.param("tensors", lambda depth: b")" + b"\x85" * depth + b"Q", id="a tuple for a persistent id"),
        pytest.param("order", lambda depth: b"])" + b"\x85" * depth + b"a", id="a tuple for a key"),
    ],
)
def test_a_deeply_nested_pickle_is_refused_and_the_interpreter_lives(part, nest, depth, tmp_path):
    path = tmp_path / "nested.pth"
    path.write_bytes(content(small(), **{part: b"\x80\x02" + nest(depth) + b"."}))
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr[-300:]
