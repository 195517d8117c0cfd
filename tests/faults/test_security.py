"""Files and values from elsewhere: what they ask for is refused; and nobody elsewhere is listened to."""

import ast
import base64
import copy
import csv
import gzip
import io
import json
import marshal
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import yaml
from tiny_sweep import command

from fmnist_utils import champion, parameters
from fmnist_utils.batch import grid, series
from fmnist_utils.support import copies, downloads, files, sources
from fmnist_utils.support.startup import keras

# What executes code, or may, and the argument by which it does not.
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "enable_unsafe_deserialization", "read_pickle", "unsafe_load"),
    *(
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "joblib.load",
        "dill.load",
        "dill.loads",
        "shelve.open",
    ),
    *("cloudpickle.load", "cloudpickle.loads", "marshal.load", "marshal.loads", "torch.load", "yaml.load"),
    *("yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
}
MUST_SAY = {"np.load": ("allow_pickle", False), "load_model": ("safe_mode", True)}
SOURCES = [path for folder in ("fmnist_utils", "studies") for path in (files.PROJECT / folder).rglob("*.py")]


def risky(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [name for name in names if name in ("pickle", "dill", "shelve", "cloudpickle", "marshal")]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if name in FORBIDDEN or last in FORBIDDEN - {"eval", "compile"}:  # a network has methods of these names
            found.append(name)
        argument, value = MUST_SAY.get(name) or MUST_SAY.get(last) or (None, None)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if argument and not (argument in given and getattr(given[argument], "value", None) is value):
            found.append(f"{name} without {argument}={value}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(files.PROJECT)))
def test_the_code_neither_unpickles_nor_executes_what_it_reads(path):
    reader = path == files.PROJECT / "fmnist_utils" / "support" / "torch_files.py"
    # That one is a reader which executes nothing: tests/support/test_torch_files.py.
    assert risky(path.read_text(encoding="utf-8")) == (["pickle"] if reader else [])


@pytest.mark.parametrize(
    "source",
    [
        *("pickle.load(f)", "import pickle", "from joblib import load; joblib.load(f)", "np.load('a.npy')"),
        *("np.load('a.npy', allow_pickle=True)", "keras.saving.load_model(p, compile=False)", "eval('1')"),
        *("keras.models.load_model(p, safe_mode=False)", "yaml.load(t, yaml.Loader)", "pd.read_pickle(p)"),
        *("keras.config.enable_unsafe_deserialization()", "torch.load(p)", "shelve.open(p)", "exec(text)"),
    ],
)
def test_the_search_for_such_code_finds_it(source):
    assert risky(source)


# ---- Models -------------------------------------------------------------------------------------------------

KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> dict[str, bytes]:
    """What a saved model is made of: one dense layer."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    dense().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def dense():
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@pytest.fixture
def write_model(tmp_path, members):
    """A function that writes a model's file with other members than it had; returns its path."""

    def write(changed: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / "hostile.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in (members | changed).items():
                archive.writestr(name, content)
        return path

    return write


@pytest.fixture
def write_layer(write_model, members):
    """A function that writes a model's file with one more layer, described by a configuration."""

    def write(layer: dict) -> Path:
        config = json.loads(members["config.json"])
        config["config"]["layers"].insert(1, layer)
        return write_model({"config.json": json.dumps(config).encode()})

    return write


@pytest.fixture
def write_call(write_model):
    """A function that writes a model that calls a function of Keras's while it is loaded."""

    def write(module: str, function: str, given: object, **more: object) -> Path:
        entry = {
            **{"module": "keras.layers", "class_name": "InputLayer", "name": "i", "inbound_nodes": []},
            "config": {"batch_shape": [None, 28, 28, 1], "name": "i"},
        }
        nodes = [{"args": [], "kwargs": {"inputs": given}}]
        call = layer("keras.layers", "Lambda", name="x", function=named(module, function), arguments=more)
        layers = [entry, call | {"name": "x", "inbound_nodes": nodes}]
        config = {"name": "f", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["i", 0, 0]]}
        whole = {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}
        return write_model({"config.json": json.dumps(whole | {"registered_name": "Functional"}).encode()})

    return write


def layer(module: str, kind: str, /, **config: object) -> dict:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def named(module: str, function: str) -> dict:
    return {"module": module, "class_name": "function", "config": function, "registered_name": function}


def marshalled() -> dict:
    def touch(x):
        open("executed", "w", encoding="utf-8").close()
        return x

    code = base64.b64encode(marshal.dumps(touch.__code__)).decode()
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}


RELU = named("keras.activations", "relu")
HOSTILE_LAYERS = {
    "a marshalled lambda": layer("keras.layers", "Lambda", function=marshalled()),
    "a marshalled output shape": layer("keras.layers", "Lambda", function=RELU, output_shape=marshalled()),
    "a marshalled activation": layer("keras.layers", "Dense", units=3, activation=marshalled()),
    "a marshalled JaxLayer": layer("keras.layers", "JaxLayer", call_fn=marshalled()),
    "a marshalled FlaxLayer": layer("keras.layers", "FlaxLayer", module=marshalled()),
    "os.system": layer("keras.layers", "Lambda", function=named("os", "system")),
    "exec": layer("keras.layers", "Lambda", function=named("builtins", "exec")),
    "a function of a module to import": layer("keras.layers", "Lambda", function=named("imported", "f")),
    "a class of a module to import": layer("imported", "Layer"),
    "a package beside Keras": layer("keras_hub.imported", "Layer"),
    "a function in a class's place": layer("keras.config", "enable_unsafe_deserialization"),
    "an internal function": layer(
        "keras.layers", "Lambda", function=named("keras.src.utils.file_utils", "get_file")
    ),
    "a callback": layer("keras.callbacks", "CSVLogger", filename="executed"),
    "a TFSMLayer": layer("keras.layers", "TFSMLayer", filepath="saved"),
    "a TorchModuleWrapper": layer("keras.layers", "TorchModuleWrapper", module="AAAA"),
    "a StringLookup's file": layer("keras.layers", "StringLookup", vocabulary="secret.txt"),
    "an IntegerLookup's file": layer("keras.layers", "IntegerLookup", vocabulary="secret.txt"),
    "a TextVectorization's file": layer(
        *("keras.layers", "TextVectorization"),
        **{
            "vocabulary": "secret.txt",
            "standardize": None,
            "split": None,
            "output_mode": "int",
            "ngrams": None,
        },
    ),
}


@pytest.mark.parametrize("name", HOSTILE_LAYERS)
def test_a_model_that_has_code_executed_or_imported_or_files_read_is_refused(
    name, write_layer, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imported.py").write_text("open('executed', 'w')")
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(files.UnreadableError):
        copies.load(write_layer(copy.deepcopy(HOSTILE_LAYERS[name])))
    assert not (tmp_path / "executed").exists()
    assert "imported" not in sys.modules


PICTURE = {"class_name": "__numpy__", "config": {"value": np.zeros((1, 2, 2, 3)).tolist(), "dtype": "uint8"}}
HOSTILE_CALLS = {
    "writes a picture": ("keras.visualization", "plot_image_gallery", PICTURE, {"path": "precious.png"}),
    "changes the precision": ("keras.config", "set_floatx", "float64", {}),
    "cuts trainings short": ("keras.config", "set_max_epochs", 1, {}),
    "downloads": ("keras.datasets.mnist", "load_data", "x.npz", {}),
    "reads other weights": ("keras.applications.vgg16", "VGG16", True, {"weights": "precious.png"}),
    "runs a graph from a folder": ("keras.layers", "TFSMLayer", "saved", {}),
    "fetches a file": ("keras.utils", "get_file", "x", {"origin": "file:///etc/passwd"}),
    "loads another model": ("keras.models", "load_model", "x.keras", {"safe_mode": False}),
    "allows code": ("keras.config", "enable_unsafe_deserialization", None, {}),
}


@pytest.mark.parametrize("name", HOSTILE_CALLS)
def test_a_model_that_calls_what_computes_no_network_is_refused(name, write_call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious.png").write_text("precious")
    module, function, given, more = HOSTILE_CALLS[name]
    before = keras.config.floatx(), keras.config.max_epochs()
    try:
        with pytest.raises(
            files.UnreadableError, match=f"names {module}.{function}, which Keras does not have"
        ):
            copies.load(write_call(module, function, given, **more))
        assert (keras.config.floatx(), keras.config.max_epochs()) == before
    finally:  # or the tests after it would fail too
        keras.config.set_floatx(before[0])
        keras.config.set_max_epochs(before[1])
    assert (tmp_path / "precious.png").read_text() == "precious"


def test_what_keras_has_for_networks_and_what_is_registered_is_loaded(tmp_path):
    @keras.saving.register_keras_serializable("faults")
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    chain = [keras.layers.RandomFlip(), keras.layers.Conv2D(2, 3, activation="relu", kernel_regularizer="l2")]
    chain += [
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    ]
    chain += [Doubled(), keras.layers.Flatten(), keras.layers.Dense(10, activation=keras.ops.softmax)]
    inputs = keras.Input((28, 28, 1))
    model = keras.Model(inputs, keras.ops.flip(keras.Sequential(chain)(inputs), 1))
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "own.keras")
    again = copies.load(tmp_path / "own.keras")
    images = np.random.default_rng(0).random((2, 28, 28, 1))
    assert np.array_equal(model.predict(images, verbose=0), again.predict(images, verbose=0))


def linked(file, outside):
    file[KERNEL] = h5py.ExternalLink(str(outside), KERNEL)


def linked_within(file, outside):
    file[KERNEL] = h5py.SoftLink("/layers/dense/vars/1")


def stored_outside(file, outside):
    file.create_dataset(KERNEL, (784, 10), "f4", external=[(str(outside), 0, 31_360)])


def virtual(file, outside):
    layout = h5py.VirtualLayout((784, 10), "f4")
    layout[...] = h5py.VirtualSource(str(outside), KERNEL, (784, 10))
    file.create_virtual_dataset(KERNEL, layout)


def never_written(file, outside):
    file.create_dataset(KERNEL, (2**26,), "f4", chunks=(2**20,), compression="gzip")


def all_linked(file, outside):
    del file["layers"]
    file["layers"] = h5py.ExternalLink(str(outside), "layers")


@pytest.mark.parametrize("weights_only", [False, True])
@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        (linked, "ExternalLink"),
        (linked_within, "SoftLink"),
        (stored_outside, "external Dataset"),
        (virtual, "in full"),
        (never_written, "in full"),
        (all_linked, "received 0 variables"),
    ],
)
def test_weights_that_are_elsewhere_or_nowhere_are_refused(
    replace, expected, weights_only, write_model, members, tmp_path
):
    outside = tmp_path / "outside.h5"
    outside.write_bytes(members["model.weights.h5"])
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        del file[KERNEL]
        replace(file, outside)
    path = write_model({"model.weights.h5": content.getvalue()})
    with pytest.raises(files.UnreadableError, match=expected):
        copies.load(path, dense() if weights_only else None)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5", "assets/x"])
def test_a_model_that_unpacks_to_more_than_it_holds_is_refused(member, write_model, members):
    content = {"config.json": bytes(2**26).replace(b"\0", b" ")}.get(member, bytes(2**26))
    path = write_model({member: members.get(member, b"") + content}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    for like in (None, dense()):
        with pytest.raises(files.UnreadableError, match="smaller than what is in it"):
            copies.load(path, like)


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_a_models_members_stay_in_their_folder(write_model, tmp_path):
    escaping = ["../escaped", "assets/../../escaped", str(tmp_path / "escaped")]
    path = write_model(dict.fromkeys(escaping, b"x"))
    before = sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())
    copies.load(path)
    assert (sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())) == before


def test_pickled_arrays_are_refused_in_a_models_place(members, tmp_path):
    content = io.BytesIO()
    np.savez(content, **{"layers/dense": np.array([object()])})
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", members["config.json"])
        archive.writestr("model.weights.npz", content.getvalue())
    with pytest.raises(files.UnreadableError, match="model.weights.h5"):
        copies.load(path)


def test_a_champion_from_elsewhere_needs_its_checksum_and_is_looked_into_all_the_same(write_call):
    path = write_call("keras.config", "set_max_epochs", 1)
    with pytest.raises(FileNotFoundError, match="sha256 is missing"):
        champion.load(path)
    path.with_suffix(".sha256").write_text("0" * 64)
    with pytest.raises(ValueError, match="not the published model"):
        champion.load(path)
    path.with_suffix(".sha256").write_text(champion.checksum(path))
    with pytest.raises(files.UnreadableError, match="set_max_epochs"):
        champion.load(path)


# ---- Downloads ----------------------------------------------------------------------------------------------


@contextmanager
def within(seconds: int):
    """Fail what waits for longer: for a pipe that nobody writes into."""

    def fail(*_):
        raise AssertionError("waited in vain")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pipe(path):
    os.mkfifo(path)


def link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("make", [pipe, link_to_a_pipe, device])
def test_what_is_no_file_is_not_read_as_data(make, ending, write_idx, tmp_path):
    folder = write_idx(tmp_path / "data")
    (folder / "train-images-idx3-ubyte.gz").unlink()
    make(folder / f"train-images-idx3-ubyte{ending}")
    with within(3), pytest.raises(sources.DataError, match="is no file"):
        sources.read_folder(folder)


def test_data_that_unpacks_without_end_is_read_no_further_than_needed(write_idx, tmp_path):
    folder = write_idx(tmp_path / "data")
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes() + 16 * gzip.compress(bytes(2**24)))  # 256 MB
    tracemalloc.start()
    try:
        with pytest.raises(sources.DataError, match="added to"):
            sources.read_folder(folder)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_file_of_data_that_links_elsewhere_gives_nothing_of_it_away(write_idx, tmp_path):
    folder = write_idx(tmp_path / "data")
    (tmp_path / "secret").write_text("secret words")
    (folder / "train-images-idx3-ubyte.gz").unlink()
    (folder / "train-images-idx3-ubyte").symlink_to(tmp_path / "secret")
    with pytest.raises(sources.DataError, match="not that of an IDX file") as error:
        sources.read_folder(folder)
    assert "words" not in str(error.value)


def member(name: str, content: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def packed(*contents: tuple[tarfile.TarInfo, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for info, content in contents:
            tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def with_parents(outside: Path) -> list:
    return [member(f"../../../../../../..{outside}/precious", b"x")]


def with_an_absolute_name(outside: Path) -> list:
    return [member(f"{outside}/precious", b"x")]


def through_a_link(outside: Path) -> list:
    return [member("./l", type=tarfile.SYMTYPE, linkname=str(outside)), member("./l/precious", b"x")]


def over_a_hard_link(outside: Path) -> list:
    return [member("./l", type=tarfile.LNKTYPE, linkname=f"{outside}/precious"), member("./l", b"x")]


def over_a_hard_link_to_a_link(outside: Path) -> list:
    first = member("./l", type=tarfile.SYMTYPE, linkname=f"{outside}/precious")
    return [first, member("./h", type=tarfile.LNKTYPE, linkname="./l"), member("./h", b"x")]


def as_a_device(outside: Path) -> list:
    name = f".{downloads.SYSTEM_DIR}/train-images-idx3-ubyte"
    return [member(name, type=tarfile.CHRTYPE, devmajor=1, devminor=5)]


@pytest.mark.skipif(not (shutil.which("dpkg-deb") and shutil.which("ar")), reason="no dpkg-deb or no ar")
@pytest.mark.parametrize(
    "hostile",
    [
        *(with_parents, with_an_absolute_name, through_a_link, over_a_hard_link, over_a_hard_link_to_a_link),
        as_a_device,
    ],
)
def test_a_package_cannot_write_outside_its_folder_nor_have_devices_read(hostile, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    control = b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    (tmp_path / "debian-binary").write_text("2.0\n")
    (tmp_path / "control.tar").write_bytes(packed(member("./control", control)))
    (tmp_path / "data.tar").write_bytes(packed(*hostile(outside)))
    parts = ["debian-binary", "control.tar", "data.tar"]
    subprocess.run(["ar", "rcS", "hostile", *parts], cwd=tmp_path, check=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\ncp {tmp_path}/hostile x.deb\n")
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with within(3), pytest.raises(sources.DataError):
        sources._download("from a fake archive", downloads.with_apt)
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"precious": "precious"}


# ---- Runs ---------------------------------------------------------------------------------------------------

INJECTION = "__import__('os').system('touch injected')"
TEXTS = [
    *(
        f"'''+{INJECTION}+'''",
        f'"""\n{INJECTION}\n"""',
        f"'+{INJECTION}+'",
        f'"+{INJECTION}+"',
        f"\\'\n{INJECTION}#",
    ),
    *(
        "\\N{BULLET} {x} {{}} %s $HOME $(touch injected) `touch injected`",
        "\\",
        "\\\\'",
        "\\x41\\u0041\\101",
        "'\"",
    ),
    *(
        "a\nb\rc\u2028d\u2029e\x85f\x0b\x0c\x1cg",
        "\t\a\x1b\x7f\ufeff",
        "😀\u202e\u200b",
        "{{ x }}<script>",
        " a ",
    ),
    *("x" * 100_000, ""),
]
WHOLE = {
    **{"NOT": float("nan"), "INFINITE": -math.inf, "ZERO": -0.0, "SMALL": 5e-324, "HUGE": -(10**400)},
    "NESTED": [1, [2.5, ["'\\\n", None, True]], {"a'\"\n": {"b": [-0.0]}}],
}
SHOWS = """import json
from fmnist_utils import runs
shown = {name: repr(value) for name, value in list(globals().items()) if name.isupper()}
(runs.runs_dir() / "shown.csv").write_text(json.dumps(shown))"""


@pytest.fixture
def show(write_notebook, monkeypatch, tmp_path):
    """A notebook that keeps what its parameters are."""
    monkeypatch.chdir(tmp_path)
    texts = [f"T{chr(65 + number)} = 'x'" for number in range(len(TEXTS))]
    kinds = [f"{name} = {type(value)()!r}" for name, value in WHOLE.items()]
    return write_notebook("show", SHOWS, parameters="\n".join([*texts, *kinds]))


def hostile_values(texts=TEXTS) -> dict:
    return {f"T{chr(65 + number)}": text for number, text in enumerate(texts)}


def shown(folder: Path) -> dict[str, str]:
    (path,) = folder.rglob("shown.csv")
    return json.loads(path.read_text())


def require_none_executed(tmp_path):
    assert not list(tmp_path.rglob("injected"))


def listening(command: list[str]) -> set[str]:
    """The addresses at which a command and all that it starts wait for connections, until it ends."""
    found = set()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            try:
                connections = one.net_connections("inet")
            except psutil.Error:  # it has ended in between
                continue
            found |= {each.laddr.ip for each in connections if each.laddr and not each.raddr}
        time.sleep(0.3)
    assert process.returncode == 0
    return found


def test_a_run_gives_a_notebook_the_very_values(show, tmp_path):
    given = hostile_values()
    parsed = series.parse([(name, repr(text)) for name, text in given.items()])
    assert parsed == given, "quoted as in Python"
    unquoted = {name: text for name, text in given.items() if not text.startswith(("'", '"', " "))}
    assert series.parse(unquoted.items()) == unquoted, "as it is, where it is no literal of Python's"
    series.run([show], given | WHOLE, tmp_path / "run")
    found = shown(tmp_path / "run")
    for name, value in (given | WHOLE).items():
        assert found[name] == repr(value)
    require_none_executed(tmp_path)


def test_a_sweep_gives_the_very_values_of_a_file_and_is_reached_from_this_machine_alone(show, tmp_path):
    given = {name: [text] for name, text in hostile_values().items()}
    path = tmp_path / "grid.yaml"
    numbers = {"ZERO": -0.0, "INFINITE": -math.inf, "SMALL": 5e-324, "HUGE": -(10**400)}
    path.write_text(yaml.safe_dump(given | numbers, allow_unicode=True), encoding="utf-8")
    addresses = listening(command(show, tmp_path / "sweep", "--grid", str(path), "--jobs", "1"))
    assert addresses
    assert addresses <= {"127.0.0.1", "::1"}
    found = shown(tmp_path / "sweep")
    expected = {name: parameters.literal(text) for name, (text,) in given.items()}
    for name, value in (expected | numbers).items():
        assert found[name] == repr(value)
    require_none_executed(tmp_path)


def test_a_table_gives_the_very_texts(tmp_path):
    given = hostile_values([text for text in TEXTS if not text.startswith(("'", '"'))])
    path = tmp_path / "grid.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(given))
        rows.writeheader()
        rows.writerow(given)
    assert grid.read(path) == [given]


LAUGHS = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 8))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("SEED: !!python/object/apply:os.system ['touch injected']", "could not determine a constructor"),
        ("SEED: !!python/name:os.system", "could not determine a constructor"),
        (f"x0: &x0 [lol]\n{LAUGHS}", r"\*x0 is a reference"),
        ("SEED: &a [*a]", r"\*a is a reference"),
        ("SEED: " + "9" * 5_000, "Exceeds the limit"),
        ("SEED: " + "[" * 5_000, "recursion"),
        ("SEED: 2026-99-99", "month must be in"),
        ("SEED: !!binary aGk=", "is no int"),
        ("SEED: 2026-01-01", "is no int"),
        ("BLOB: !!binary aGk=", "cannot be given"),
        (f'"{INJECTION}": 1', "has no parameter __import__"),
        ('"SEED = 1; SEED": 1', "has no parameter SEED = 1; SEED"),
        ('TEXT: "\\ud800"', "no text in UTF-8"),
    ],
)
def test_a_grid_that_holds_more_than_values_is_refused_in_a_sentence(
    content, expected, write_notebook, tmp_path
):
    path = tmp_path / "grid.yaml"
    path.write_text(content)
    notebook = grid.Notebook(write_notebook("n", parameters="SEED = 0\nTEXT = 'x'\nBLOB = b''"))
    with pytest.raises(parameters.ParameterError, match=expected):
        grid.plan(notebook, grid.read(path), {})
    require_none_executed(tmp_path)


@pytest.mark.parametrize(
    "text", ["-" * 100_000 + "1", "(" * 5_000, "9" * 5_000, "b'x'", "...", "(1, 2)", "{1: 2}"]
)
def test_what_no_notebook_can_be_given_is_text(text):
    assert series.parse([("TEXT", text)]) == {"TEXT": text}


def test_bytes_that_are_no_text_are_refused(tmp_path, show):
    start = [
        os.fsencode(sys.executable),
        b"-m",
        b"fmnist_utils",
        b"run",
        os.fsencode(show),
        b"-p",
        b"TA",
        b"\xff",
    ]
    done = subprocess.run(start, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "fmnist_utils: '\\udcff' is no text in UTF-8.\n"


def test_a_runs_kernels_are_reached_from_this_machine_alone(write_notebook, tmp_path):
    notebook = write_notebook("waits", "import time; time.sleep(1)")
    start = [sys.executable, "-m", "fmnist_utils", "run", str(notebook), "--to", str(tmp_path / "run")]
    assert listening(start) <= {"127.0.0.1", "::1"}
