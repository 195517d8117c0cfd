"""Sweeps on a scheduler and workers of their own, over TCP, that get lost, are killed or have other code."""

import signal
import subprocess

import distributed
import pytest
from helpers import running, wait_until
from tiny_sweep import begun, command, states

from fmnist_utils import __main__
from fmnist_utils.batch import cluster, worker
from fmnist_utils.support import files, fingerprint

pytestmark = pytest.mark.slow


def test_a_lost_workers_run_is_repeated_elsewhere_and_recorded_once(scheduler, notebook, tmp_path, trace):
    address, workers, _ = scheduler
    folder = tmp_path / "sweep"
    options = ["-p", "SEED", "0..5", "-p", "SLEEP", "1.5", "--scheduler", address]
    process = subprocess.Popen(command(notebook, folder, *options), stdout=subprocess.DEVNULL)
    wait_until(lambda: len(begun(trace)) >= 2)
    kernels = {pid for pid, _ in begun(trace)}
    workers[0].send_signal(signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    found = states(folder)
    assert sorted(state["parameters"]["SEED"] for state in found) == list(range(6))
    assert {state["status"] for state in found} == {"complete"}
    assert len(begun(trace)) >= 7, "one run was begun twice"
    wait_until(lambda: not any(running(kernel) for kernel in kernels))


def test_a_stopped_sweep_ends_its_own_kernels_on_a_shared_cluster(scheduler, notebook, tmp_path, trace):
    address, *_ = scheduler

    def started(seed: str, sleep: str) -> subprocess.Popen:
        options = ["-p", "SEED", seed, "-p", "SLEEP", sleep, "--scheduler", address]
        return subprocess.Popen(command(notebook, tmp_path / seed, *options), stderr=subprocess.DEVNULL)

    first = started("1", "600.0")  # only the signal ends it, however long the second takes to begin
    wait_until(lambda: len(begun(trace)) == 1)
    second = started("2", "12.0")
    wait_until(lambda: len(begun(trace)) == 2)
    kernel_of = {seed: pid for pid, seed in begun(trace)}
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=30) == 130
    wait_until(lambda: not running(kernel_of[1]), seconds=5)
    assert running(kernel_of[2])
    assert second.wait(timeout=60) == 0


def test_a_lost_scheduler_is_reported_and_the_folder_resumes(scheduler, notebook, tmp_path, trace):
    address, _, process = scheduler
    folder = tmp_path / "sweep"
    grid = ["-p", "SEED", "0..3", "-p", "SLEEP", "1.5"]
    asked = command(notebook, folder, *grid, "--scheduler", address)
    sweep = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(states(folder)) >= 1)
    process.kill()
    _, error = sweep.communicate(timeout=120)
    assert sweep.returncode == 1
    assert "The scheduler was lost" in error
    assert "Traceback" not in error
    kept = len(states(folder))
    assert 1 <= kept < 4
    assert files.read_json(folder / "sweep.json")["status"] == "stopped"
    assert __main__.main(["sweep", str(notebook), *grid, "--to", str(folder), "--jobs", "1"]) == 0
    assert len(states(folder)) == 4


def test_a_scheduler_that_is_lost_while_it_is_asked_is_lost_too(
    scheduler, notebook, tmp_path, monkeypatch, capsys
):
    address, *_ = scheduler

    def lost(client):
        raise distributed.comm.CommClosedError("in <TCP (closed) ConnectionPool.ncores>: connection reset")

    monkeypatch.setattr(distributed.Client, "nthreads", lost)
    options = ["-p", "SEED", "0..1", "--scheduler", address, "--to", str(tmp_path / "sweep")]
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    error = capsys.readouterr().err
    assert "The scheduler was lost, with 2 runs still to come" in error
    assert files.read_json(tmp_path / "sweep" / "sweep.json")["status"] == "stopped"


def test_a_worker_with_another_package_is_refused_by_name(scheduler, notebook, tmp_path, monkeypatch, capsys):
    address, *_ = scheduler
    monkeypatch.setattr(fingerprint, "package", lambda: "another")
    options = ["--scheduler", address, "--to", str(tmp_path / "sweep")]
    assert __main__.main(["sweep", str(notebook), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("tcp://127.0.0.1:") == 2
    assert "has another version of fmnist_utils. Install the same one there" in error
    assert states(tmp_path / "sweep") == []


def test_a_worker_that_joins_with_another_package_fails_few_runs(scheduler, notebook, tmp_path, monkeypatch):
    address, *_ = scheduler
    monkeypatch.setattr(fingerprint, "package", lambda: "another")
    monkeypatch.setattr(cluster, "require_compatible", lambda client: None)
    monkeypatch.setattr(worker, "INCOMPATIBLE_SECONDS", 0.0)
    options = ["--scheduler", address, "--to", str(tmp_path / "sweep")]
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    assert "has another version of fmnist_utils" in states(tmp_path / "sweep")[0]["error"]


def test_a_killed_commands_run_is_ended_on_a_shared_cluster(scheduler, notebook, tmp_path, trace):
    address, *_ = scheduler
    options = ["-p", "SLEEP", "100.0", "--scheduler", address]
    process = subprocess.Popen(command(notebook, tmp_path / "sweep", *options))
    wait_until(lambda: len(begun(trace)) == 1)
    process.kill()
    process.wait()
    wait_until(lambda: not running(begun(trace)[0][0]), seconds=30)


def test_a_run_that_wants_too_much_memory_fails_alone(scheduler, write_notebook, tmp_path):
    address, *_ = scheduler
    wants = (
        "import os\nprint(os.environ['FMNIST_MEMORY_MB'])\nimport fmnist_utils\nhoard = bytearray(SIZE * 2**20)"
    )
    notebook = write_notebook("greedy", wants, parameters="SIZE: int = 1  # MB")
    options = ["--scheduler", address, "--to", str(tmp_path / "sweep"), "-p", "SIZE", "1,2000"]
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    ended = {state["parameters"]["SIZE"]: state for state in states(tmp_path / "sweep")}
    assert ended[1]["status"] == "complete"
    assert "MemoryError" in ended[2000]["error"]
