"""What a sweep costs and stands: overhead, throughput, start-up, 500 runs, two machines without a shared disk.

``python -m studies.speed.sweeps``, with the names of parts or without, writes ``results/sweeps.json`` and
``results/sweeps.md``. About an hour and a half alone on two cores; the part with two machines makes network
namespaces and is left out where that is not allowed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from fmnist_utils import results
from fmnist_utils.support import cores, files, formatting

PYTHON = sys.executable
BASIC = files.PROJECT / "notebooks" / "02_basic_cnn.ipynb"
FORM = files.PROJECT / "notebooks" / "one_training.ipynb"
FIGURES: dict[str, Callable[[psutil.Process], float]] = {
    "memory (MB)": lambda process: process.memory_info().rss / 1e6,
    "open files": lambda process: process.num_fds(),
}
SHORT = ["-p", "EPOCHS", "1", "-p", "TRAIN_SIZE", "1000", "-p", "NETWORK", "dense"]  # a run of seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts: dict[str, Callable[[Path], Any]] = {
        "overhead": overhead,
        "startup": startup,
        "throughput": throughput,
        "many": many,
        "machines": machines,
    }
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(parts)} (default: all)")
    chosen = parser.parse_args().parts or list(parts)
    path = results.FOLDER / "sweeps.json"
    found = files.read_json(path) if path.exists() else {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = parts[name](Path(folder))
        print(name, found[name], flush=True)
        files.write_json(path, found)
    files.write_text(path.with_suffix(".md"), page(found))


def overhead(folder: Path, runs_each: int = 5, rounds: int = 2) -> dict[str, Any]:
    """Seconds for lesson 2 with one epoch, by papermill itself and by a sweep with one worker, in turns."""
    bare, swept = [], []
    for turn in range(rounds):
        seeds = range(turn * runs_each, (turn + 1) * runs_each)
        for seed in seeds:
            store = os.environ | {"FMNIST_RUNS_DIR": str(folder / f"bare-{seed}")}
            options = ["--no-progress-bar", "-p", "EPOCHS", "1", "-p", "SEED", str(seed)]
            output = str(folder / f"{seed}.ipynb")
            bare.append(_seconds([PYTHON, "-m", "papermill", str(BASIC), output, *options], env=store))
        given = ["-p", "EPOCHS", "1", "-p", "SEED", f"{seeds[0]}..{seeds[-1]}", "--jobs", "1"]
        swept.append(_sweep(BASIC, folder / f"swept-{turn}", *given) / runs_each)
    return {
        "papermill": statistics.median(bare),
        "sweep": statistics.median(swept),
        "papermill_all": bare,
        "sweep_all": swept,
    }


def startup(folder: Path, repeats: int = 5) -> dict[str, float]:
    """Seconds from asking for a kernel until it has imported TensorFlow: begun anew, and forked."""
    script = """
import sys, time, nbformat
from pathlib import Path
from fmnist_utils.batch import engine, kernels
kernels.can_fork = (lambda: True) if sys.argv[1] == "forked" else (lambda: False)
folder = Path(sys.argv[2])
cell = nbformat.v4.new_code_cell("from fmnist_utils import evaluation, models, plots, training")
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": {
    "name": "python3", "display_name": "", "language": "python"}}), folder / "empty.ipynb")
times = []
for _ in range(int(sys.argv[3]) + 1):
    began = time.perf_counter()
    engine.execute(folder / "empty.ipynb", folder / "out.ipynb", {}, {}, say=lambda *_: None)
    times.append(time.perf_counter() - began)
print(sorted(times[1:])[len(times) // 2 - 1])
"""
    found = {}
    for how in ("anew", "forked"):
        command = [PYTHON, "-c", script, how, str(folder), str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[how] = float(done.stdout.split()[-1])
    return found


def throughput(folder: Path, count: int = 16) -> dict[str, float]:
    """Runs an hour with one and with two workers on this machine, one full epoch each."""
    given = ["-p", "EPOCHS", "1", "-p", "SEED", f"0..{count - 1}"]
    return {
        f"{jobs} at a time": 3600 * count / _sweep(FORM, folder / str(jobs), *given, "--jobs", str(jobs))
        for jobs in (1, 2)
    }


def many(folder: Path, count: int = 500) -> dict[str, Any]:
    """Memory, open files and what is left behind over 500 short runs; then the same command again."""
    given = [*SHORT, "-p", "SEED", f"0..{count - 1}"]
    left_before = len(list(Path(tempfile.gettempdir()).iterdir()))
    began = time.perf_counter()
    process = subprocess.Popen(_command(FORM, folder / "sweep", *given), stdout=subprocess.DEVNULL)
    seen: dict[str, list[float]] = {
        f"{what} of the {who}": [] for what in FIGURES for who in ("command", "workers")
    }
    while process.poll() is None:
        time.sleep(5)
        with suppress(psutil.NoSuchProcess):
            command = psutil.Process(process.pid)
            for what, measure in FIGURES.items():
                seen[f"{what} of the command"].append(measure(command))
                seen[f"{what} of the workers"].append(max(map(measure, _workers(command)), default=0))
    seconds = time.perf_counter() - began
    table = pd.read_csv(folder / "sweep" / "results.csv")
    return {
        "runs": len(table),
        "complete": int((table["status"] == "complete").sum()),
        "seconds": seconds,
        "seconds_a_run": statistics.median(table["seconds"]),
        "quarters": {name: _quarters(values) for name, values in seen.items()},
        "left_in_tmp": len(list(Path(tempfile.gettempdir()).iterdir())) - left_before,
        "megabytes_a_run": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6 / count,
        "again_seconds": statistics.median(_sweep(FORM, folder / "sweep", *given) for _ in range(5)),
        "report_seconds": _seconds([PYTHON, "-m", "fmnist_utils", "report", str(folder / "sweep")]),
    }


def machines(folder: Path, count: int = 12) -> dict[str, Any]:
    """Two workers in network namespaces, without a folder that both can write; one is killed in the middle."""
    if os.geteuid():
        return {"left out": "network namespaces need root"}
    with _two_machines(folder) as (scheduler, workers):
        given = [*SHORT, "-p", "SEED", f"0..{count - 1}", "--scheduler", scheduler]
        process = subprocess.Popen(_command(FORM, folder / "sweep", *given), stdout=subprocess.DEVNULL)
        while len(list((folder / "sweep" / "runs").glob("[!.]*"))) < count // 3:
            if process.poll() is not None:
                raise SystemExit("the sweep ended before a machine could be killed")
            time.sleep(0.2)
        for victim in [*psutil.Process(workers[0].pid).children(recursive=True), workers[0]]:
            victim.kill()
        status = process.wait()
    table = pd.read_csv(folder / "sweep" / "results.csv")
    return {
        "status": status,
        "runs": len(table),
        "seeds": int(table["SEED"].nunique()),
        "complete": int((table["status"] == "complete").sum()),
        "models": len(list((folder / "sweep" / "runs").glob("[!.]*/models/*/model.keras"))),
        "by_host": table["host"].value_counts().to_dict(),
    }


def page(found: dict[str, Any]) -> str:
    """The measurements, as a page."""
    lines = ["# Sweeps, measured", f"{cores.available()} cores. `studies.speed.sweeps` wrote this.", ""]
    rows = []
    if "overhead" in found:
        one, other = found["overhead"]["papermill"], found["overhead"]["sweep"]
        rows.append(["lesson 2 with one epoch, papermill itself", f"{one:.1f} s"])
        rows.append(
            ["the same by a sweep with one worker, all included", f"{other:.1f} s, {other / one:.2f} of it"]
        )
    if "startup" in found:
        rows.append(["a kernel that has TensorFlow, begun anew", f"{found['startup']['anew']:.1f} s"])
        rows.append(["… forked", f"{found['startup']['forked']:.1f} s"])
    for name, value in found.get("throughput", {}).items():
        rows.append([f"runs an hour of one epoch, {name}", f"{value:.0f}"])
    if "many" in found:
        m = found["many"]
        rows.append([f"{m['runs']} short runs, {m['complete']} complete", f"{m['seconds'] / 60:.0f} min"])
        for name, values in m["quarters"].items():
            rows.append([f"{name}, the most in each quarter of that", ", ".join(f"{v:.0f}" for v in values)])
        rows.append(["files left in the folder for temporary files", str(m["left_in_tmp"])])
        rows.append(["what a run keeps", f"{m['megabytes_a_run']:.2f} MB"])
        rows.append(["the same command again", f"{m['again_seconds']:.1f} s"])
        rows.append(["`report` on it", f"{m['report_seconds']:.1f} s"])
    if "runs" in found.get("machines", {}):
        m = found["machines"]
        rows.append(
            [
                "two machines without a shared disk, one killed",
                f"{m['complete']} of {m['seeds']} runs, {m['runs']} rows",
            ]
        )
    return "\n".join([*lines, formatting.markdown_table(["what", "measured"], rows)]) + "\n"


def _command(notebook: Path, folder: Path, *options: str) -> list[str]:
    return [PYTHON, "-m", "fmnist_utils", "sweep", str(notebook), "--to", str(folder), *options]


def _sweep(notebook: Path, folder: Path, *options: str) -> float:
    return _seconds(_command(notebook, folder, *options))


def _seconds(command: list[str], **options: Any) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return time.perf_counter() - began


def _workers(command: psutil.Process) -> list[psutil.Process]:
    return [child for child in command.children() if "spawn_main" in " ".join(child.cmdline())]


def _quarters(values: list[float]) -> list[float]:
    """The largest value of each quarter of the time."""
    step = max(1, len(values) // 4)
    return [max(values[i : i + step]) for i in range(0, 4 * step, step) if values[i : i + step]]


@contextmanager
def _two_machines(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler, and two workers in namespaces joined to it by a bridge.

    Each worker has a file system of its own where anything could be shared: empty /tmp and home.
    """
    ip = shutil.which("ip") or "ip"

    def call(words: str) -> None:
        subprocess.run([ip, *words.split()], check=True)

    processes: list[subprocess.Popen] = []
    address = "10.77.0.1"
    try:
        call("link add fmbridge type bridge")
        call(f"addr add {address}/24 dev fmbridge")
        call("link set fmbridge up")
        start = [PYTHON, "-m", "distributed.cli.dask_scheduler", "--host", address, "--port", "8786"]
        processes.append(_quietly([*start, "--no-dashboard"]))
        for number in (1, 2):
            space, inside, outside = f"fm{number}", f"fmin{number}", f"fmout{number}"
            call(f"netns add {space}")
            call(f"link add {outside} type veth peer name {inside} netns {space}")
            call(f"link set {outside} master fmbridge up")
            call(f"-n {space} addr add 10.77.0.{number + 1}/24 dev {inside}")
            call(f"-n {space} link set {inside} up")
            call(f"-n {space} link set lo up")
            processes.append(_quietly(_machine(ip, space, number, address, folder)))
        yield f"tcp://{address}:8786", processes[1:]
    finally:
        for process in processes:
            for child in [*psutil.Process(process.pid).children(recursive=True), process]:
                child.kill()
            process.wait()
        for space in ("fm1", "fm2"):
            subprocess.run([ip, "netns", "delete", space], stderr=subprocess.DEVNULL)
        subprocess.run([ip, "link", "delete", "fmbridge"], stderr=subprocess.DEVNULL)


def _machine(ip: str, space: str, number: int, scheduler: str, folder: Path) -> list[str]:
    """The command of a worker with its own network, host name, home and /tmp, to which all else is read-only.

    The data travels once, by hand, as it would in a lab: a copy of this user's cache.
    """
    from fmnist_utils.support import sources

    data = folder / f"data-{number}"
    shutil.copytree(sources.fetch().parent, data / "fmnist_utils")
    worker = f"{PYTHON} -m distributed.cli.dask_worker tcp://{scheduler}:8786 --nthreads 1 --no-dashboard"
    script = f"""set -e
        hostname {space}
        mount --bind {files.PROJECT} {files.PROJECT}
        mount -o remount,bind,ro {files.PROJECT}
        mount --bind {data} /mnt
        mount -t tmpfs none /tmp
        mkdir /tmp/home /tmp/cache
        cp -r /mnt/fmnist_utils /tmp/cache
        umount /mnt
        cd /tmp
        export HOME=/tmp/home XDG_CACHE_HOME=/tmp/cache
        exec {worker} --memory-limit 4GiB --host 10.77.0.{number + 1}"""
    unshared = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
    return [ip, "netns", "exec", space, *unshared, "sh", "-c", script]


def _quietly(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
