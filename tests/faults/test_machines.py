"""Computers that are less, or more, than they look: quotas, few cores, many, little memory."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fmnist_utils import __main__ as command_line
from fmnist_utils.support import cores, limits

GROUPS = Path("/sys/fs/cgroup")
GIGABYTE = 2**30
COUNTS = """
import os
from fmnist_utils import __main__ as command_line
from fmnist_utils.support import cores, limits
print(cores.available(), cores.per_process(2), command_line._at_a_time(), limits.memory() // 2**20)
"""
TRAINS = """
import os
from fmnist_utils import data, models, training
from fmnist_utils.fast import towers
few = data.subset(data.load().train, 500, seed=0)
config = training.TrainingConfig(epochs=3, batch_size=50, seed=0)
history = training.train_or_load(models.two_conv(), few, few, config, name="few").history
threads = os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["TF_NUM_INTEROP_THREADS"]
print("threads:", *threads, towers.TOWERS, history["accuracy"][-1])
"""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
on_linux_as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can limit a process so"
)


def printed(command: list[str], script: str, **variables: str) -> list[str]:
    """The words that Python, begun so, printed last; no number of cores is named but among the variables."""
    usual = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    whole = [*command, sys.executable, "-c", script]
    done = subprocess.run(whole, env=usual | variables, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


# Real control groups


@pytest.fixture
def group(request) -> Iterator[list[str]]:
    """What begins a process in a group within one that may use one core and three gigabytes (version 1)."""
    name, made = f"fmnist-{os.getpid()}", []
    one, some = {"cpu.cfs_quota_us": 100_000}, {"memory.limit_in_bytes": 3 * GIGABYTE}
    try:
        for controller, told in (("cpu", one), ("memory", some)):
            outer = GROUPS / controller / name
            for folder in (outer, outer / "inner"):
                folder.mkdir()
                made.append(folder)
            for file, value in told.items():
                (outer / file).write_text(str(value), encoding="utf-8")
    except OSError as error:
        pytest.skip(f"no groups of version 1 can be made here: {error}")
    else:
        joins = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in made if folder.name == "inner")
        yield ["sh", "-c", f'{joins}; exec "$@"', "sh"]
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


@on_linux_as_root
def test_a_quota_on_a_group_around_ones_own_is_found(group):
    assert printed(group, COUNTS) == ["1", "1", "1", "3072"]
    assert printed(group, COUNTS, OMP_NUM_THREADS="2")[:2] == ["2", "1"], "what is said counts first"


@on_linux_as_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare here")
def test_a_quota_of_version_2_is_found():
    files = {"cpu.max": "100000 100000", "memory.max": str(5 * GIGABYTE), "memory.high": "max"}
    writes = "; ".join(f"echo {content} > {GROUPS}/{name}" for name, content in files.items())
    own = f"echo 0::/ > {GROUPS}/own; mount --bind {GROUPS}/own /proc/$$/cgroup"
    script = f'mount -t tmpfs none {GROUPS} && {writes}; {own}; exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    assert printed(command, COUNTS) == ["1", "1", "1", "5120"]


# Groups as other systems have them


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, float("inf")),
        ("3:cpu,cpuacct:/a/b\n0::/\n", _v1 := {"cpu,cpuacct/a/cpu.cfs_quota_us": "250000"}, 2.5),
        ("3:cpu,cpuacct:/elsewhere\n", _v1 | {"cpu,cpuacct/cpu.cfs_quota_us": "-1"}, float("inf")),
        ("3:cpu:/docker/1234\n", {"cpu/cpu.cfs_quota_us": "50000"}, 0.5),
        ("3:memory:/a\n", {}, float("inf")),
        ("", {}, float("inf")),
    ],
)
def test_the_narrowest_quota_around_a_process_counts(own, files, expected, tmp_path, monkeypatch):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        if path.name == "cpu.cfs_quota_us":
            path.with_name("cpu.cfs_period_us").write_text("100000", encoding="utf-8")
    (tmp_path / "own").write_text(own, encoding="utf-8")
    monkeypatch.setattr(limits, "_GROUPS", tmp_path)
    monkeypatch.setattr(limits, "_OWN", tmp_path / "own")
    assert limits.cores() == expected


def test_a_system_without_groups_has_no_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_OWN", tmp_path / "missing")
    assert limits.cores() == float("inf")
    assert limits.memory() > GIGABYTE // 2


# Few cores and many


@pytest.mark.parametrize(
    ("said", "expected"), [("8", 8), ("3,2", 3), (" 2 ", 2), ("0", CORES), ("-1", CORES), ("many", CORES)]
)
def test_cores_are_as_omp_num_threads_says_where_it_says_a_number(said, expected, monkeypatch):
    monkeypatch.setattr(limits, "cores", lambda: float("inf"))
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert cores.available() == expected


@pytest.mark.parametrize(("there", "memory", "held"), [(64, 256, 64), (64, 16, 8), (1, 256, 1), (8, 1, 1)])
def test_as_many_notebooks_run_as_cores_and_memory_allow(there, memory, held, monkeypatch):
    monkeypatch.setattr(cores, "available", lambda: there)
    monkeypatch.setattr(limits, "memory", lambda: memory * GIGABYTE)
    assert command_line._at_a_time() == held
    assert command_line._parser().parse_args(["run"]).jobs == min(2, held)


@pytest.mark.parametrize(
    ("command", "variables", "expected"),
    [
        pytest.param(
            ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if hasattr(os, "sched_getaffinity") else [],
            {},
            ["1", "1", "1"],
            marks=pytest.mark.skipif(not shutil.which("taskset"), reason="no taskset here"),
        ),
        ([], {"OMP_NUM_THREADS": "8"}, ["4", "8", "2"]),
    ],
    ids=["one core", "eight"],
)
def test_a_training_learns_on_few_cores_and_on_many(command, variables, expected, tmp_path):
    _, *threads, accuracy = printed(command, TRAINS, FMNIST_RUNS_DIR=str(tmp_path), **variables)
    assert threads == expected
    assert float(accuracy) > 0.4
