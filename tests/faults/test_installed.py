"""The package installed without its repository: what can work does, and what is missing is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fmnist_utils
from fmnist_utils.support import files, photo_files


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder in which the package is as pip puts it into ``site-packages``."""
    folder, source = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("source") / "project"
    source.mkdir()
    for name in ("fmnist_utils", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        os.symlink(files.PROJECT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot build it here: {done.stderr.strip()[-200:]}")
    return folder


def _python(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("words", ["run", "run 02", "sweep 02 -p SEED 1"])
def test_commands_say_that_the_notebooks_are_missing(words, installed, tmp_path):
    done = _python(installed, tmp_path, "-m", "fmnist_utils", *words.split())
    assert done.returncode == 2
    assert f"There are no notebooks in {installed}" in done.stderr
    assert "clone it" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_champion_and_the_modules_work_and_results_say_where_they_are(installed, tmp_path):
    script = """
import fmnist_utils
from fmnist_utils import data, results, runs
from fmnist_utils.support import files
print(fmnist_utils.__file__)
print(runs.runs_dir())
print(fmnist_utils.load_champion().count_params(), len(data.load().train))
try:
    results.table("replicates")
except files.UnreadableError as error:
    print(error)
"""
    done = _python(installed, tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr
    package, store, counts, said = done.stdout.splitlines()
    assert package.startswith(str(installed))
    assert package != fmnist_utils.__file__
    assert store == str(tmp_path / "runs" / "interactive")
    assert counts == "233322 60000"
    assert "replicates.csv is missing. Kept results come with the repository" in said


def test_the_list_of_the_photographs_sums_is_installed(installed):
    path = installed / photo_files.SUMS.relative_to(files.PROJECT)
    assert path.read_bytes() == photo_files.SUMS.read_bytes()
