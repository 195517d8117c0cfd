"""Variables and settings that a shell, a container or another program has left: the lessons do not notice."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from fmnist_utils.support import sources

KERAS = {
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "2",
    "KERAS_NNX_ENABLED": "true",
}
TENSORFLOW = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TF_USE_LEGACY_KERAS": "1",
}
OTHER = {"floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"}
MATPLOTLIBRC = "\n".join(
    [
        *("backend: TkAgg", "text.usetex: True", "font.family: No Such Font", "axes.grid: True"),
        *("figure.dpi: 300", "savefig.bbox: standard", "savefig.transparent: True", "lines.linewidth: 9"),
    ]
)

SAYS_KERAS = """
import json
from fmnist_utils.support.startup import keras
from keras.src.backend.config import keras_home
c = keras.config
found = [c.backend(), c.floatx(), c.epsilon(), c.image_data_format(), c.max_epochs(), c.max_steps_per_epoch()]
print(json.dumps([*found, c.is_nnx_enabled(), keras_home()]))
"""
TRAINS = """
from fmnist_utils import data, models, training
few = data.subset(data.load().train, 200, seed=0)
config = training.TrainingConfig(epochs=2, batch_size=50, seed=0)
for precision in ("bfloat16", "float32"):
    training.use_precision(precision)
    print("a history:", training.train_or_load(models.two_conv(), few, few, config, name="few").history)
"""
DRAWS = "import sys, pathlib; from fmnist_utils import plots; "
DRAWS += "plots.save(plots.bars({'one': 1.0}, 'two'), pathlib.Path(sys.argv[1]))"
SHOWS = [
    "from fmnist_utils import plots\nimport matplotlib.pyplot as plt",
    "plots.show(plots.bars({'one': 1.0}, 'two'), 'one bar')",
    "_ = plt.plot([1, 2])",
]


def python(*arguments: object, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Run Python with these variables beside the usual ones, which have no Keras or matplotlib of a test's."""
    usual = {name: value for name, value in os.environ.items() if name not in ("KERAS_HOME", "MATPLOTLIBRC")}
    usual |= {"XDG_CACHE_HOME": str(sources.cache_file().parents[1])}  # the data, whatever the home is
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=usual | variables, capture_output=True)


def said(*arguments: object, folder: Path | None = None, **variables: str) -> str:
    """What Python printed; it must not have failed."""
    done = python(*arguments, folder=folder, **variables)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


# Keras


@pytest.mark.parametrize("content", [None, "[]", json.dumps(OTHER), '{"floatx": "float77"}'])
def test_keras_is_as_the_lessons_need_it_and_its_file_is_left_alone(content, tmp_path):
    home = tmp_path / ".keras"
    if content is not None:
        home.mkdir()
        (home / "keras.json").write_text(content, encoding="utf-8")
    *found, place = json.loads(said("-c", SAYS_KERAS, HOME=str(tmp_path), **KERAS))
    assert found == ["tensorflow", "float32", 1e-7, "channels_last", None, None, False]
    assert place == str(home), "that is where its data sets are"
    assert [path.name for path in home.glob("*")] == (["keras.json"] if content is not None else [])
    assert content is None or (home / "keras.json").read_text(encoding="utf-8") == content


def test_a_download_through_keras_does_not_hear_of_them(tmp_path):
    script = "import os, sys; from fmnist_utils.support import downloads as d\nfrom pathlib import Path\n"
    script += "d.run = lambda command, folder, env: print(command[-1], file=open('script.py', 'w')) or "
    script += "os.execve(sys.executable, [sys.executable, '-c', command[-1].replace("
    script += "'keras.datasets.fashion_mnist.load_data()', 'print(keras.backend.backend())')], env)\n"
    script += "d.with_keras(Path('data'))"
    (tmp_path / "keras.json").write_text("[]", encoding="utf-8")
    printed = said("-c", script, folder=tmp_path, KERAS_HOME=str(tmp_path), **KERAS)
    assert printed == "tensorflow\n"


def test_keras_that_was_imported_with_another_backend_is_refused_in_a_sentence(tmp_path):
    script = "import keras; keras.src.backend.config._BACKEND = 'jax'; import fmnist_utils.support.startup"
    done = python("-c", script, KERAS_HOME=str(tmp_path))
    assert b"ImportError: Keras was imported with the backend 'jax'" in done.stderr


def test_a_keras_cache_in_its_named_home_is_still_a_source(write_idx, own_folders):
    write_idx(own_folders / "keras" / "datasets" / "fashion-mnist")
    assert len(sources.load_arrays()["train_images"]) == 40


# TensorFlow


def test_trainings_have_the_same_outcome_under_all_of_them(tmp_path):
    outcomes = []
    for variables in ({}, TENSORFLOW | KERAS):
        printed = said("-c", TRAINS, FMNIST_RUNS_DIR=str(tmp_path / str(len(variables))), **variables)
        outcomes.append([line for line in printed.splitlines() if line.startswith("a history")])
    assert outcomes[0] == outcomes[1]
    assert len(set(outcomes[0])) == 2, "each precision has its own"


def test_bfloat16_is_not_chosen_where_tensorflow_was_told_before_to_emulate_it():
    script = "import tensorflow; from fmnist_utils import training; print(training.has_native_bfloat16())"
    assert said("-c", script, TF_ENABLE_ONEDNN_OPTS="0") == "False\n"


@pytest.fixture
def broken_tensorflow(tmp_path) -> dict[str, str]:
    """The variable with which Python finds a TensorFlow that cannot be loaded."""
    (tmp_path / "tensorflow").mkdir()
    text = "raise ImportError('libmissing.so.5: cannot open shared object file')"
    (tmp_path / "tensorflow" / "__init__.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(tmp_path)}


def test_why_tensorflow_cannot_be_imported_is_said(broken_tensorflow, write_notebook, tmp_path):
    done = python("-c", "from fmnist_utils import training", **broken_tensorflow)
    assert b"ImportError: libmissing.so.5: cannot open" in done.stderr
    notebook = write_notebook("trains", "from fmnist_utils import training")
    done = python("-m", "fmnist_utils", "run", notebook, "--to", tmp_path / "run", **broken_tensorflow)
    assert done.returncode == 1
    assert b"libmissing.so.5: cannot open" in done.stderr
    assert b"Traceback" not in done.stderr and b"memory" not in done.stderr


# matplotlib


def test_pictures_are_the_same_whatever_matplotlib_is_told(tmp_path):
    expected = drawn(tmp_path / "plain")
    there = matplotlibrc(tmp_path / "there")
    assert drawn(tmp_path / "named", MATPLOTLIBRC=str(there), MPLBACKEND="nonsense") == expected
    assert drawn(tmp_path / "set", MPLCONFIGDIR=str(there), MPLBACKEND="TkAgg") == expected
    assert drawn(there, MPLBACKEND="Qt5Agg") == expected, "the folder that it is drawn in has the file"


def matplotlibrc(folder: Path) -> Path:
    """A folder with matplotlib's settings in it."""
    folder.mkdir(parents=True)
    (folder / "matplotlibrc").write_text(MATPLOTLIBRC, encoding="utf-8")
    return folder


def drawn(folder: Path, **variables: str) -> bytes:
    """A picture, drawn by a process in this folder."""
    folder.mkdir(exist_ok=True)
    said("-c", DRAWS, folder / "picture.png", folder=folder, **variables)
    return (folder / "picture.png").read_bytes()


@pytest.mark.parametrize("backend", ["TkAgg", "nonsense"])
def test_a_notebook_shows_its_pictures_whatever_backend_is_named(backend, tmp_path):
    closed = tmp_path / "a file, not a folder"
    closed.touch()
    variables = {"MPLBACKEND": backend, "MPLCONFIGDIR": str(closed), "TMPDIR": str(tmp_path)}
    outputs = shown(matplotlibrc(tmp_path / "lessons"), **variables)
    assert [output.output_type for output in outputs] == ["display_data", "display_data"], outputs


def test_a_notebook_that_imports_matplotlib_first_shows_its_pictures_too(tmp_path):
    cells = ["import matplotlib.pyplot as plt", *SHOWS]
    outputs = shown(matplotlibrc(tmp_path / "lessons"), cells, MPLBACKEND="TkAgg")
    assert [output.output_type for output in outputs] == ["display_data", "display_data"], outputs


def shown(folder: Path, cells: list[str] = SHOWS, **variables: str) -> list[nbformat.NotebookNode]:
    """What cells show in a kernel of Jupyter's own, in this folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=os.environ | variables, stderr=subprocess.DEVNULL)
    return [output for cell in notebook.cells for output in cell.outputs]


# Encodings


@pytest.fixture(params=["C", "ISO-8859-1", "PYTHONIOENCODING"])
def narrow(request, tmp_path) -> dict[str, str]:
    """The variables of a terminal that has no "…"."""
    if request.param == "C":
        return {"LC_ALL": "C", "PYTHONUTF8": "0"}
    if request.param == "PYTHONIOENCODING":
        return {"PYTHONIOENCODING": "ascii"}
    made = tmp_path / "en_US.ISO-8859-1"
    if not shutil.which("localedef"):
        pytest.skip("no localedef here, which makes locales")
    subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", made], capture_output=True)
    if not made.is_dir():
        pytest.skip("localedef has no sources of locales here")
    return {"LOCPATH": str(tmp_path), "LC_ALL": made.name, "PYTHONUTF8": "0"}


def test_a_terminal_that_lacks_a_character_shows_another(narrow):
    script = "from fmnist_utils.support import progress; progress.Line('one').update('two \\u2026 \\u2717')"
    assert said("-c", script, **narrow) == "one\ntwo ? ?\n"


def test_a_run_ends_well_and_keeps_every_character(narrow, write_notebook, tmp_path):
    notebook = write_notebook("Größe", "# a remark …\nprint('ü … ✗')")
    folder = tmp_path / "Läufe …"
    assert "Complete" in said("-m", "fmnist_utils", "run", notebook, "--to", folder, **narrow)
    done = nbformat.read(folder / "notebooks" / "Größe.ipynb", as_version=4)
    assert done.cells[-1].outputs[0].text == "ü … ✗\n"


# Folders

ODD = "a {b} 100% #1 $HOME 'c' \"d\" ü"


def test_a_run_in_a_folder_of_any_name(write_notebook, tmp_path):
    notebook = write_notebook("01_a", "print('did')")
    folder = (tmp_path / ODD).resolve()
    folder.mkdir()
    notebook = notebook.rename(folder / "01_{b}.ipynb")
    assert "Complete" in said("-m", "fmnist_utils", "run", notebook, "--to", folder / "run", TMPDIR=str(folder))
    assert (folder / "run" / "notebooks" / notebook.name).exists()
    sweep = ["sweep", notebook, "-p", "EPOCHS", "1,2", "--jobs", "1", "--to", folder / "sweep"]
    assert "Complete" in said("-m", "fmnist_utils", *sweep, TMPDIR=str(folder))


@pytest.mark.parametrize("temporary", ["long", "missing", "relative"])
def test_a_long_temporary_folder_does_not_stop_a_kernel(temporary, write_notebook, tmp_path, monkeypatch):
    places = {"long": tmp_path / ("x" * 100), "missing": tmp_path / "missing", "relative": Path("here")}
    places["long"].mkdir()
    monkeypatch.chdir(tmp_path)
    notebook = write_notebook("01_a", "print('did')")
    run = ["run", notebook, "--to", tmp_path / "run"]
    assert "Complete" in said("-m", "fmnist_utils", *run, TMPDIR=str(places[temporary]))


# Homes

NOBODY = 12345  # no user has this number
HOMES = {"none": None, "not there": "/nonexistent", "not writable": "/", "relative": "home"}
# It may read what root may, since this Python and the data may be in root's home, and write what others may.
READS_ALL = "=-all,+dac_read_search"
AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *(f"--{capabilities}{READS_ALL}" for capabilities in ("inh-caps", "ambient-caps", "bounding-set")),
]
LOADS = """
import os
from fmnist_utils import data
from fmnist_utils.support import environment, sources
arrays = data.load()
del os.environ["XDG_CACHE_HOME"]  # which had the data
environment.settle()
sources.cache_file().parent.mkdir(parents=True)  # so they could have been kept, too
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="only root on Linux can be somebody unknown, with setpriv",
)
@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_an_unknown_user_without_a_home_can_load_and_run(home, write_notebook):
    with tempfile.TemporaryDirectory(prefix="home-") as folder:  # pytest's own are for its user only
        os.chmod(folder, 0o777)
        usual = {name: value for name, value in os.environ.items() if name not in ("HOME", "KERAS_HOME")}
        usual |= {"TMPDIR": folder, "XDG_CACHE_HOME": str(sources.cache_file().parents[1])}
        usual |= {} if home is None else {"HOME": home}
        notebook = write_notebook("loads", "from fmnist_utils import data, plots", "len(data.load().train)")
        for arguments in (["-c", LOADS], ["-m", "fmnist_utils", "run", str(notebook), "--to", "run"]):
            command = [*AS_NOBODY, sys.executable, *arguments]
            done = subprocess.run(command, cwd=folder, env=usual, capture_output=True, encoding="utf-8")
            assert (done.returncode, done.stderr) == (0, ""), arguments
        executed = nbformat.read(Path(folder) / "run" / "notebooks" / notebook.name, as_version=4)
        assert executed.cells[-1].outputs[0].data["text/plain"] == "60000"
        assert {path.name for path in Path(folder).iterdir()} == {"run", f"fmnist_utils-{NOBODY}"}


# Names of folders

NAMED = ["~nosuchuser/x", "loop"]


@pytest.mark.parametrize("given", NAMED)
def test_a_name_that_leads_nowhere_is_said(given, write_notebook, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    notebook = write_notebook("01_a", "1")
    for words, setting in (
        (["fetch"], "FMNIST_DATA_DIR"),
        (["run", notebook, "--to", given], "FMNIST_RUNS_DIR"),
    ):
        done = python("-m", "fmnist_utils", *words, folder=tmp_path, **{setting: given})
        error = done.stderr.decode()
        assert "Traceback" not in error
        assert done.returncode == 0 or given in error


def test_an_option_of_pythons_against_utf_8_does_not_hang(tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = python("-X", "utf8=0", "-m", "fmnist_utils", "report", "nothing", folder=tmp_path, **ascii_only)
    assert b"There is no folder nothing" in done.stderr
