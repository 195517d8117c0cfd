"""Sweeps on this machine that meet trouble: kill -9, Ctrl-C, too little memory, another in the same folder."""

import signal
import subprocess

import pandas as pd
import psutil
import pytest
from helpers import running, wait_until
from tiny_sweep import begun, command, left_behind, states

from fmnist_utils import __main__
from fmnist_utils.support import files

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_that_is_stopped_leaves_no_process_and_resumes(number, notebook, tmp_path, trace):
    folder = tmp_path / "sweep"
    arguments = command(notebook, folder, "-p", "SEED", "0..2", "-p", "SLEEP", "1.5", "--jobs", "1")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(begun(trace)) >= 2)
    family = psutil.Process(process.pid).children(recursive=True)
    kernels = [pid for pid, _ in begun(trace)]
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    wait_until(lambda: not any(running(pid) for pid in [*kernels, *(child.pid for child in family)]))
    assert files.read_json(folder / "sweep.json")["status"] == "stopped"
    kept = states(folder)
    assert [state["status"] for state in kept] == ["complete"]
    assert len(pd.read_csv(folder / "results.csv")) == 1
    assert left_behind(folder) == []
    if number != signal.SIGINT:
        return
    assert subprocess.run(arguments, stdout=subprocess.DEVNULL).returncode == 0
    seeds = [seed for _, seed in begun(trace)]
    assert seeds.count(kept[0]["parameters"]["SEED"]) == 1
    assert len(states(folder)) == 3


def test_a_killed_command_leaves_no_process_and_a_folder_that_resumes(notebook, tmp_path, trace, capsys):
    folder = tmp_path / "sweep"
    arguments = command(notebook, folder, "-p", "SEED", "0..2", "-p", "SLEEP", "1.5", "--jobs", "1")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(begun(trace)) >= 2)
    family = psutil.Process(process.pid).children(recursive=True)
    pids = [*(child.pid for child in family), *(pid for pid, _ in begun(trace))]
    process.kill()
    process.wait()
    wait_until(lambda: not any(running(pid) for pid in pids))
    assert [state["status"] for state in states(folder)] == ["complete"]
    assert __main__.main(["report", str(folder)]) == 0
    assert "The sweep is killed, with 2 of 3 runs still to do." in capsys.readouterr().out
    assert files.read_json(folder / "sweep.json")["status"] == "killed"
    assert subprocess.run(arguments, stdout=subprocess.DEVNULL).returncode == 0
    assert sorted(state["parameters"]["SEED"] for state in states(folder)) == [0, 1, 2]
    assert left_behind(folder) == []


def test_two_sweeps_do_not_share_a_folder_at_a_time(notebook, tmp_path, trace, capsys):
    folder = tmp_path / "sweep"
    first = subprocess.Popen(command(notebook, folder, "-p", "SEED", "1", "-p", "SLEEP", "4.0", "--jobs", "1"))
    wait_until(lambda: len(begun(trace)) == 1)
    assert __main__.main(["sweep", str(notebook), "-p", "SEED", "2", "--to", str(folder), "--jobs", "1"]) == 2
    assert "Another sweep is writing into" in capsys.readouterr().err
    assert first.wait(timeout=60) == 0
    assert __main__.main(["sweep", str(notebook), "-p", "SEED", "2", "--to", str(folder), "--jobs", "1"]) == 0
    assert sorted(state["parameters"]["SEED"] for state in states(folder)) == [1, 2]
    assert len(pd.read_csv(folder / "results.csv")) == 2
