"""Lessons made ready for a class, and the folder for students: small notebooks, and one real lesson."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import papermill
import pytest
from helpers import NOTEBOOKS, SMALL

from fmnist_utils import __main__
from fmnist_utils.batch import classroom, grid, series, students, supplies
from fmnist_utils.batch.watching import Seen
from fmnist_utils.support import files, photo_cache, sources, weights

SPLIT = """from fmnist_utils import data, models, training
split = data.subset(data.load().train, 100, 0)
config = training.TrainingConfig(epochs=EPOCHS, batch_size=50, seed=0)"""
KEPT = 'trained = training.train_or_load(models.dense(), split, split, config, name="tiny")'
ANEW = """import time
def augment(images, seed):
    return images + 0 * time.time()
from dataclasses import replace
strange = replace(config, augment=augment)
training.train_or_load(models.dense(), split, split, strange, name="strange")"""
NOT_KEPT = "history = training.fit(models.dense(), split, split, config)"
LESSON = "03_batchnorm_cnn"
WEIGHTS = b"stands for what lesson 9 borrows"
PIXELS = b"stand for the photographs of lesson 10"


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """An empty store in place of the one that JupyterLab reads."""
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


def models_in(store: Path) -> set[str]:
    return {path.name for path in (store / "models").iterdir()}


@pytest.mark.slow
def test_only_lessons_that_then_train_nothing_in_jupyterlab_are_called_ready(
    write_notebook, store, tmp_path, capsys
):
    lesson = write_notebook("01_a", SPLIT, KEPT, NOT_KEPT)
    others = [
        write_notebook("02_b", "raise ValueError('no more wool')"),
        write_notebook("03_c", SPLIT, ANEW),
    ]
    with pytest.raises(series.BatchError, match="2 of 3 lessons are not ready") as error:
        classroom.prepare([lesson, *others], {})
    assert "02_b.ipynb, code cell 2: ValueError: no more wool" in str(error.value)
    assert "03_c.ipynb trains each time what should be read back: strange-" in str(error.value)
    said = capsys.readouterr().out
    assert "01, 02, 03: new; how long that takes is not known" in said
    assert "01_a: 1 trained; once more" in said
    assert said.partition("ready: ")[2].startswith("01 (") and "03 (" not in said
    kept = models_in(store)
    # papermill by itself starts a kernel as JupyterLab does
    papermill.execute_notebook(lesson, tmp_path / "by-hand.ipynb", kernel_name="python3", progress_bar=False)
    assert models_in(store) == kept
    assert {path.name for path in store.iterdir()} == {"models", "class.json"}
    assert "01: trained before, about" in classroom.announced({lesson: {}})


def test_training_that_is_not_kept_is_told():
    seen = {Path("06_a.ipynb"): Seen(50.0, frozenset(), (), 31.0)}
    seen |= {Path("07_b.ipynb"): Seen(20.0, frozenset(), (), 0.2)}
    said = classroom.report(seen)
    assert said.startswith("ready: 06 (50 s), 07 (20 s)\n")
    assert said.endswith("does not keep: 06 (31 s).")


def test_lessons_are_chosen_by_number_and_others_refused(capsys):
    chosen = classroom.resolve(["3", "02", "03_batchnorm_cnn"])
    assert [path.stem for path in chosen] == ["02_basic_cnn", "03_batchnorm_cnn"]
    assert classroom.resolve([]) == NOTEBOOKS
    assert __main__.main(["class", "98"]) == 2
    assert "There is no notebook 98. Known: " in capsys.readouterr().err
    assert __main__.main(["class", "one_training"]) == 2
    assert "is no lesson of the series" in capsys.readouterr().err
    assert __main__.main(["class", "03", "-p", "EPOCH", "1"]) == 2
    assert "No notebook of this run has a parameter EPOCH" in capsys.readouterr().err
    assert __main__.main(["class", "03", "-p", "PRECISION", "float32"]) == 2
    assert "--precision" in capsys.readouterr().err


def test_make_class_names_the_lessons():
    if not shutil.which("make"):
        pytest.skip("no make")
    asked = subprocess.run(
        ["make", "-n", "class", "LESSON=02 03"], cwd=files.PROJECT, capture_output=True, text=True
    )
    assert "-m fmnist_utils class 02 03" in asked.stdout


def test_each_precision_is_for_the_lessons_that_have_one():
    lessons = series.resolve(["01", "03"])
    own, other = classroom.passes(lessons, {}, None, ["auto", "float32"])
    assert list(own) == lessons and not any(own.values())
    assert other == {lessons[1]: {"PRECISION": "float32"}}
    assert classroom.passes(lessons[:1], {}, None, ["auto", "float32"]) == [{lessons[0]: {}}]


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").touch()
    for target, why in (("used", "is not empty"), ("used/mine.txt", "is a file")):
        assert __main__.main(["class", "03", "--to", str(tmp_path / target)]) == 2
        assert why in capsys.readouterr().err
    assert __main__.main(["class", "--to", str(files.PROJECT / "stick")]) == 2
    assert "in the project itself" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["used", "mine.txt"]


@pytest.mark.slow
def test_a_lesson_that_fails_leaves_no_folder(write_notebook, store, tmp_path):
    lesson = write_notebook("01_a", "raise ValueError('no more wool')")
    with pytest.raises(series.BatchError, match="no more wool\nNothing was written"):
        students.give([lesson], {}, "auto", tmp_path / "stick")
    assert not [path for path in tmp_path.iterdir() if "stick" in path.name]


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A students' folder of all lessons, without networks: nothing is executed for it."""
    folder = tmp_path_factory.mktemp("students")
    copies = [students.without_solutions(path, folder) for path in NOTEBOOKS]
    (folder / "stick").mkdir()
    (folder / weights.FILE).write_bytes(WEIGHTS)
    (folder / photo_cache.NAME).mkdir()
    (folder / photo_cache.NAME / "pixels").write_bytes(PIXELS)
    supplied = {folder / weights.FILE, folder / photo_cache.NAME}
    students.fill(folder / "stick", copies, set(), sources.load_arrays(), supplied)
    return folder / "stick"


def test_data_beside_the_package_is_read_and_not_cached(tiny, write_idx, own_folders, monkeypatch):
    monkeypatch.setattr(sources, "BESIDE", own_folders / "data")
    write_idx(sources.BESIDE)
    assert sources.load_arrays()["test_labels"].tolist() == tiny["test_labels"].tolist()
    assert sources.fetch() == sources.BESIDE
    assert not sources.cache_file().exists(), "a stick may be all that can be written"
    sources.write_folder(tiny, own_folders / "system")
    (sources.BESIDE / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.warns(sources.DataWarning, match="data/train-labels.*Trying the next source"):
        assert sources.fetch() == sources.cache_file()


def test_the_weights_that_a_lesson_needs_lie_where_the_folders_own_package_looks_for_them(filled):
    assert (filled / weights.BESIDE.relative_to(files.PROJECT)).read_bytes() == WEIGHTS


def test_the_photographs_that_a_lesson_needs_lie_where_the_folders_own_package_looks_for_them(filled):
    place = filled / photo_cache.BESIDE.relative_to(files.PROJECT)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"pixels": PIXELS}


def test_no_folder_is_made_for_a_lesson_whose_weights_cannot_be_had(write_notebook, tmp_path, monkeypatch):
    def fetch():
        raise sources.DataError("There are no pre-trained weights.")

    monkeypatch.setattr(supplies, "_FETCH", {"pretrained": fetch})
    lesson = write_notebook("09_a", "from fmnist_utils import pretrained")
    with pytest.raises(sources.DataError, match="no pre-trained weights"):
        students.give([lesson], {}, "auto", tmp_path / "stick")
    assert not [path for path in tmp_path.iterdir() if "stick" in path.name]


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def told(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell says: its source and each of its outputs, texts and pictures."""
    outputs = cell.get("outputs", [])
    texts = [output.get("text", "") for output in outputs]
    texts += [str(text) for output in outputs for text in output.get("data", {}).values()]
    return [text.strip() for text in [cell.source, *texts]]


def joined(cells: list[nbformat.NotebookNode]) -> str:
    return "\n".join(text for cell in cells for text in told(cell))


def test_no_solution_is_in_any_file_for_students(filled):
    content = {
        path: path.read_bytes().decode("utf-8", "replace") for path in filled.rglob("*") if path.is_file()
    }
    lessons = "\n".join(joined(nbformat.read(path, as_version=4).cells) for path in filled.glob("notebooks/*"))
    originals = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    others = joined([cell for cell in originals if not is_solution(cell)])
    solutions = [cell for cell in originals if is_solution(cell)]
    assert len(solutions) > 20
    for text in [text for cell in solutions for text in told(cell)]:
        for part in [text, *text.splitlines()]:
            if len(part) > 20 and part.strip() not in others:  # shorter ones say nothing by themselves
                assert part.strip() not in lessons
        if len(text) > 20 and text not in others:
            assert not [path for path, whole in content.items() if text in whole]
    named = [path for path, whole in content.items() if "no_dense" in whole and path.suffix == ".json"]
    assert not named, "results of a network that a solution trains"


def is_solution(cell: nbformat.NotebookNode) -> bool:
    return "solution" in cell.metadata.get("tags", [])


def test_all_else_of_the_lessons_is_there_for_students(filled):
    for path in NOTEBOOKS:
        original = nbformat.read(path, as_version=4)
        given = nbformat.read(filled / "notebooks" / path.name, as_version=4)
        assert given.cells == [cell for cell in original.cells if not is_solution(cell)]
        hints = [cell for cell in original.cells if "<summary>Hint</summary>" in cell.source]
        assert [cell for cell in given.cells if "<summary>Hint</summary>" in cell.source] == hints
        assert tagged(given, "exercise") == tagged(original, "exercise")
    requirements = (filled / "requirements.txt").read_text()
    assert f"keras=={importlib.metadata.version('keras')} " in requirements
    assert requirements.count("\n") == (files.PROJECT / "requirements.txt").read_text().count("\n")
    assert sources.read_folder(filled / "data").keys() == sources.FILES.keys()
    for absent in ("studies", "tests", "figures", ".git", ".ci", "CONTRIBUTING.md"):
        assert not (filled / absent).exists()
    assert not list(filled.rglob("__pycache__"))


def without_network() -> list[str]:
    """What a command begins with to have no network, where that is permitted."""
    for flags in ("-n", "-rn"):
        unshared = ["unshare", flags]
        if shutil.which("unshare") and not subprocess.run([*unshared, "true"], capture_output=True).returncode:
            return unshared
    return []


@pytest.mark.slow
def test_a_students_folder_works_in_a_room_without_network(tmp_path):
    lesson = next(path for path in NOTEBOOKS if path.stem == LESSON)
    small = {name: value for name, value in SMALL.items() if name in grid.Notebook(lesson).defaults}
    asked = [word for name, value in small.items() for word in ("-p", name, repr(value))]
    asked = ["class", LESSON[:2], *asked, "--precision", "auto"]
    stick, store = tmp_path / "a stick", tmp_path / "store"
    environment = os.environ | {"FMNIST_RUNS_DIR": str(store), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "fmnist_utils", *asked, "--to", str(stick)]
    made = subprocess.run(command, env=environment, cwd=files.PROJECT, capture_output=True, text=True)
    assert not made.returncode, made.stderr
    assert f"with 4 trained networks: {stick}" in made.stdout
    assert "03: trained before, about" in made.stdout.partition("in the students' folder itself")[2]
    assert models_in(store) == models_in(stick / "runs" / "interactive")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a stick", "store"]
    before = {path: path.stat().st_mtime_ns for path in stick.glob("runs/interactive/models/*/*")}
    assert len(before) == 4 * 3

    set_up(stick)
    (tmp_path / "temporary").mkdir()
    nowhere = "http://127.0.0.1:9"
    surroundings = {"PATH": os.environ["PATH"], "HOME": "", "TMPDIR": str(tmp_path / "temporary")}
    surroundings |= {"OMP_NUM_THREADS": "2", "http_proxy": nowhere, "https_proxy": nowhere}
    options = {"cwd": stick, "env": surroundings, "capture_output": True, "text": True}
    if shutil.which("make"):  # what `make lab` does before it opens JupyterLab
        ready = subprocess.run([*without_network(), "make", "setup"], **options)
        assert not ready.returncode, ready.stderr
        assert f"verified: {stick / 'data'}" in ready.stdout
    python = str(stick / ".venv" / "bin" / "python")
    run = subprocess.run([*without_network(), python, "-m", "fmnist_utils", *asked], **options)
    assert not run.returncode, run.stderr
    assert "ready: 03 (" in run.stdout and run.stdout.count("read back from this run's models") == 4
    assert " an epoch" not in run.stdout and "once more" not in run.stdout, "one execution shows it"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(models_in(stick / "runs" / "interactive")) == 4
    assert not list((tmp_path / "temporary").rglob("fashion-mnist*")), "the folder's own data was read"


def set_up(stick: Path) -> None:
    """A ``.venv`` as ``setup_venv.py`` makes it, with the packages that are installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", stick / ".venv"], check=True)
    script = f"""import json, setup_venv, sysconfig
from pathlib import Path
setup_venv.show_project()
packages = Path(sysconfig.get_path("purelib", "venv", {{"base": str(setup_venv.VENV)}}))
(packages / "zz.pth").write_text({json.dumps(sysconfig.get_path("purelib"))})
setup_venv.RECORD.write_text(json.dumps(setup_venv.description()))"""
    subprocess.run([sys.executable, "-c", script], cwd=stick, check=True)
