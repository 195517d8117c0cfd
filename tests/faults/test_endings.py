"""Endings of every kind: states are honest afterwards, no process stays, and why a kernel died is said."""

import os
import pty
import signal
import subprocess
import sys
import time

import psutil
import pytest
from helpers import running, wait_until

from fmnist_utils import __main__
from fmnist_utils.batch import states
from fmnist_utils.support import files

SLEEPS = """import os, time
from fmnist_utils import runs
from fmnist_utils.support import files
files.write_json(runs.runs_dir() / "pid.json", os.getpid())
time.sleep(PAUSE)"""
PAUSE = "PAUSE: float = 300.0  # seconds"


@pytest.fixture
def begin(write_notebook, tmp_path):
    """A function that begins a run of a notebook that sleeps, and gives its process and its kernel's id."""

    def begin(*before: str, pause: float = 300.0, **options) -> tuple[subprocess.Popen, int]:
        notebook = write_notebook("01_a", SLEEPS, parameters=PAUSE)
        command = [*before, sys.executable, "-m", "fmnist_utils", "run", str(notebook)]
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
        process = subprocess.Popen(
            [*command, "-p", "PAUSE", str(pause), "--to", str(tmp_path / "run")], **options
        )
        wait_until((tmp_path / "run" / "pid.json").exists)
        return process, files.read_json(tmp_path / "run" / "pid.json")

    return begin


def _family(process: subprocess.Popen) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


def test_ctrl_c_twice_ends_as_ctrl_c_once(begin, tmp_path):
    process, kernel = begin()
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.wait(timeout=60) == 130
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "failed"
    wait_until(lambda: not running(kernel))


def test_a_terminal_that_is_closed_ends_its_run(begin, tmp_path):
    ours, theirs = pty.openpty()
    process, kernel = begin("setsid", "--ctty", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.close(ours)
    process.wait(timeout=60)
    wait_until(lambda: not running(kernel))
    wait_until(lambda: files.read_json(tmp_path / "run" / "run.json")["status"] == "failed")


def test_nohup_keeps_its_run(begin, tmp_path):
    process, _ = begin("nohup", pause=2.0)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "complete"


def test_a_run_whose_reader_has_gone_comes_to_its_end(begin, tmp_path):
    process, _ = begin(pause=2.0, stdout=subprocess.PIPE)
    process.stdout.close()  # as `| head` does
    process.wait(timeout=60)
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "complete"


def test_a_run_that_was_killed_leaves_no_process_and_is_known_to_be_dead(begin, tmp_path, capsys):
    process, kernel = begin()
    assert states.read(tmp_path / "run" / "run.json")["status"] == "running"
    pids = [*_family(process), kernel]
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(running, pids)))
    assert __main__.main(["report", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("killed: ")
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "killed"


def test_another_process_of_the_same_number_is_not_taken_for_the_run(tmp_path):
    state = states.begun()
    files.write_json(tmp_path / "run.json", state)
    assert states.read(tmp_path / "run.json")["status"] == "running"
    files.write_json(tmp_path / "run.json", state | {"command": ["another"]})
    assert states.read(tmp_path / "run.json")["status"] == "killed"
    files.write_json(tmp_path / "run.json", state | {"host": "another", "process": 0})
    assert states.read(tmp_path / "run.json")["status"] == "running", "nobody here can know"


DEATHS = {
    "os.kill(os.getpid(), 9)": "was killed (SIGKILL): a system does that",
    "import ctypes; ctypes.string_at(0)": "ended with SIGSEGV",
    "os.write(2, b'no wool'); os._exit(3)": "ended with status 3. Its last words: no wool",
    "os.abort()": "ended with SIGABRT",
}


@pytest.mark.parametrize("death", DEATHS)
def test_how_a_kernel_died_is_said(death, write_notebook, tmp_path, capsys):
    notebook = write_notebook("01_a", f"import os; os.dup2(os.open(os.devnull, 1), 1); {death}")
    assert __main__.main(["run", str(notebook), "--to", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "01_a.ipynb: its kernel died. It " in error
    assert DEATHS[death] in error
    assert "Traceback" not in error


def test_why_a_kernel_died_before_it_answered_is_said(write_notebook, tmp_path, monkeypatch, capsys):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os; os.write(2, b'moths in the profile'); os._exit(3)")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert __main__.main(["run", str(write_notebook("01_a", "1")), "--to", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "its kernel did not start" in error
    assert "It ended with status 3. Its last words: moths in the profile" in error


STREAMS = {
    "a reader that goes": "| head -1",
    "closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "full": ">/dev/full",
}


@pytest.mark.parametrize("stream", STREAMS)
def test_commands_go_on_without_a_terminal(stream, notebook, tmp_path):
    python = f"set -o pipefail; {sys.executable} -m fmnist_utils"
    run = f"{python} run {notebook} --to {tmp_path / 'run'} {STREAMS[stream]}"
    sweep = f"{python} sweep {notebook} -p SEED 1 --jobs 1 --to {tmp_path / 'sweep'} {STREAMS[stream]}"
    for command in (run, sweep):
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "complete"
    assert files.read_json(tmp_path / "sweep" / "sweep.json")["status"] == "complete"


@pytest.mark.parametrize("after", [0.05, 0.2, 0.4, 0.8])
def test_ctrl_c_before_anything_has_begun_shows_no_traceback(after, tmp_path):
    command = [sys.executable, "-m", "fmnist_utils", "report", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert "fmnist_utils/batch" not in error
    assert "numpy" not in error
