"""File systems that refuse permissions, locks or flushing, are full, read-only or slow: no training is lost."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_sweep import command, states

from fmnist_utils.support import files, sources

TRAINS = """
import keras, numpy as np
from fmnist_utils import data, training
split = data.Split(np.zeros((20, 28, 28), np.uint8), np.arange(20, dtype=np.uint8) % 10)
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
config = training.TrainingConfig(epochs=1, batch_size=20, seed=0)
for _ in range(2):
    trained = training.train_or_load(model, split, split, config, name="small")
    print(trained.path, training.predict(trained.model, split.images).shape)
"""


def _run(script: str, environment: dict[str, str], store: Path) -> str:
    environment = environment | {"FMNIST_RUNS_DIR": str(store)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


REFUSES = ["chmod flock-enolck posix-locks fsync", "chmod flock-enosys posix-locks late"]


@pytest.mark.parametrize("faults", REFUSES)
def test_a_training_is_kept_and_read_back_where_the_file_system_refuses(faults, with_fault, tmp_path):
    said = _run(TRAINS, with_fault(faults, tmp_path / "store"), tmp_path / "store")
    kept = list((tmp_path / "store" / "models").iterdir())
    assert [path.name[:6] for path in kept] == ["small-"]
    assert said.count(str(kept[0])) == 2
    assert said.count("read back") == 1


def test_a_sweep_and_its_report_are_made_where_the_file_system_refuses(with_fault, notebook, tmp_path):
    folder = tmp_path / "sweep"
    environment = with_fault(REFUSES[0], Path("/")) | {"HOME": str(tmp_path / "home")}
    environment |= {"XDG_CACHE_HOME": str(sources.cache_file().parents[1])}  # the data
    (tmp_path / "home").mkdir()
    arguments = command(notebook, folder, "-p", "SEED", "1,2", "--jobs", "2")
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [state["status"] for state in states(folder)] == ["complete"] * 2
    assert "No other sweep may use" in done.stderr
    report = [sys.executable, "-m", "fmnist_utils", "report", str(folder)]
    assert subprocess.run(report, env=environment, capture_output=True).returncode == 0


def test_a_search_is_kept_where_the_file_system_refuses(with_fault, tmp_path):
    script = """
import optuna
from fmnist_utils import tuning
study = optuna.create_study(study_name="one", storage=tuning.storage(""), load_if_exists=True)
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
print(len(study.trials))"""
    environment = with_fault("chmod flock-enolck posix-locks", tmp_path)
    assert [_run(script, environment, tmp_path / "a {?#%}") for _ in range(2)] == ["3\n", "6\n"]
    with (tmp_path / "a {?#%}" / "study.log").open("a", encoding="utf-8") as log:
        log.write('{"op_code": 4, "worker')  # the machine was switched off
    assert _run(script, environment, tmp_path / "a {?#%}") == "9\n"


def test_the_data_are_cached_where_permissions_are_refused(with_fault, tmp_path):
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "FMNIST_DATA_DIR": ""}
    script = "from fmnist_utils.support import sources; sources.write_cache({'a': __import__('numpy').ones(3)})"
    _run(script, with_fault("chmod", tmp_path) | cache, tmp_path)
    assert list(tmp_path.rglob("*.npz"))


def test_an_error_of_the_disk_is_said_and_the_training_kept_elsewhere(with_fault, tmp_path):
    said = _run(TRAINS, with_fault("io", tmp_path / "store"), tmp_path / "store")
    assert said.count("could not be kept in this run ([Errno 5]") == 2
    assert [path for path in (tmp_path / "store" / "models").iterdir() if path.name[0] != "."] == []


@contextmanager
def _mounted(folder: Path, *options: str):
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", *options, "none", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("options", [("-o", "size=16k"), ("-o", "ro"), ("-o", "nr_inodes=3")], ids=str)
def test_a_training_on_a_full_or_read_only_disk_is_kept_elsewhere(options, tmp_path):
    with _mounted(tmp_path / "disk", *options) as disk:
        said = _run(TRAINS.replace("range(2)", "range(1)"), dict(os.environ), disk / "store")
        assert "could not be kept in this run ([Errno" in said
        kept = Path(said.splitlines()[-1].partition(" (")[0])
        assert sorted(path.name for path in kept.iterdir()) == ["history.json", "metrics.json", "model.keras"]
        shutil.rmtree(kept.parent)
        assert not [path for path in disk.rglob("*") if path.is_file()], "nothing half-written"


def test_a_training_is_read_back_from_a_disk_that_may_only_be_read(tmp_path):
    with _mounted(tmp_path / "disk") as disk:
        _run(TRAINS.replace("range(2)", "range(1)"), dict(os.environ), disk)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert _run(TRAINS, dict(os.environ), disk).count("read back") == 2


@pytest.mark.parametrize("words", [["run"], ["sweep", "-p", "SEED", "1", "--jobs", "1"]], ids=lambda w: w[0])
@pytest.mark.parametrize("options", [("-o", "ro"), ("-o", "size=4k")], ids=str)
def test_commands_on_a_full_or_read_only_disk_end_with_a_sentence(words, options, notebook, tmp_path):
    with _mounted(tmp_path / "disk", *options) as disk:
        command = [sys.executable, "-m", "fmnist_utils", *words, str(notebook), "--to", str(disk / "to")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert "[Errno" in done.stderr
        assert str(disk) in done.stderr
        assert "Traceback" not in done.stderr


def test_a_damaged_disk_does_not_lose_what_was_there(with_fault, tmp_path):
    files.write_json(tmp_path / "a.json", {"old": True})
    script = f"""
from pathlib import Path
from fmnist_utils.support import files, sources
try:
    files.write_json(Path({str(tmp_path)!r}) / "a.json", {{"new": True}})
except OSError as error:
    print(error.errno)
"""
    environment = with_fault("io", tmp_path)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout == "5\n"
    assert files.read_json(tmp_path / "a.json") == {"old": True}
    assert len(list(tmp_path.iterdir())) == 1


WRITES = {
    "a file": "files.write_json(folder / 'a.json', {'new': True})",
    "a folder": "files.store(folder / 'b', lambda beside: files.write_json(beside / 'c.json', {'new': True}))",
    "a cache": "sources.write_cache({'a': np.ones(3)})",
    "a run of a sweep": "sweep._record(sweep.Sweep(None, folder, {'k': {}}), worker.Result(state, result))",
}
SWITCHED_OFF = """
import os, shutil, sys
from pathlib import Path
import numpy as np
from fmnist_utils.batch import sweep, worker
from fmnist_utils.support import files, sources

folder = Path(sys.argv[1])
sources.cache_file = lambda: folder / 'cache.npz'
state = {'key': 'k', 'status': 'complete', 'parameters': {}}
result = {'models/m/model.keras': b'weights', 'notebook.ipynb': b'{"cells": []}'}
for at in range(1, 80):
    shutil.rmtree(folder, ignore_errors=True)
    files.write_json(folder / 'a.json', {'old': True})
    child = os.fork()
    if not child:
        os.environ |= {'FAULT': 'off', 'FAULT_AT': str(at)}
        WRITE
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = [path for path in folder.rglob('*') if not any(part[0] == '.' for part in path.parts[1:])]
    for path in seen:
        assert not path.is_file() or path.stat().st_size > 5, path
        assert path.suffix != '.json' or files.read_json(path), path
        assert not path.is_dir() or path.name in ('runs', 'models', 'm') or len(list(path.iterdir())), path
    if (folder / 'runs' / 'k').exists():
        assert len([path for path in seen if path.is_file()]) == 4, seen
    if not status:
        print('not switched off at', at)
        break
"""


@pytest.mark.parametrize("what", WRITES)
def test_a_machine_that_is_switched_off_leaves_the_old_or_the_new(what, with_fault, tmp_path):
    script, folder = SWITCHED_OFF.replace("WRITE", WRITES[what]), tmp_path / "disk"
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, env=with_fault("none", folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 5, "it was switched off at each of the calls before"


def test_a_training_that_can_be_kept_nowhere_is_in_memory(tmp_path):
    limited = f"""
import tempfile, resource, signal
tempfile.tempdir = {str(tmp_path)!r}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from fmnist_utils import training
store = training._store
def on_a_full_disk(*given):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 10**12))
    try:
        return store(*given)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**12, 10**12))
training._store = on_a_full_disk
"""
    said = _run(limited + TRAINS.replace("range(2)", "range(1)"), dict(os.environ), tmp_path / "store")
    assert "nor elsewhere; it is only in memory" in said
    assert said.splitlines()[-1].endswith(" (20, 10)")


def test_a_sweeps_run_that_cannot_be_kept_there_is_kept_elsewhere(notebook, tmp_path):
    with _mounted(tmp_path / "disk", "-o", "size=40k") as disk:
        arguments = command(notebook, disk / "sweep", "-p", "SEED", "1..9", "--jobs", "1")
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert done.returncode == 1
        assert "A run could not be kept in the sweep's folder ([Errno 28]" in done.stderr
        assert "Traceback" not in done.stderr
        kept = Path(done.stderr.partition("It is in ")[2].partition(": move")[0])
        assert (kept / "run.json").exists()
        shutil.rmtree(kept.parent)
