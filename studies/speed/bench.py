"""The benchmark: each side a process of its own, in turns, medians and ratios from one run.

``python -m studies.speed.bench`` writes ``results/bench.md`` and ``results/bench.json`` and the tables of the
project's README. About half an hour on two cores, with the machine to itself.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from typing import Any

from fmnist_utils import results
from fmnist_utils.batch import publish
from fmnist_utils.support import cores, files, formatting

MARKS = ("<!-- bench: written by make bench -->", "<!-- end of bench -->")
OURS, KERAS, TORCH = "by_fmnist_utils", "by_keras", "by_pytorch"

# One row of the table each: what it is, and how it is started.
SIDES = {
    "the mini-project's recipe as written": (KERAS, "--augment --epochs 3"),
    "this project, same augmentation": (OURS, "--augment --epochs 3"),
    "this project, same augmentation, float32": (OURS, "--augment --precision float32 --epochs 2"),
    "stock Keras": (KERAS, "--epochs 5"),
    "this project": (OURS, "--epochs 5"),
    "this project, float32": (OURS, "--precision float32 --epochs 2"),
    "PyTorch, bfloat16": (TORCH, "--epochs 3"),
    "PyTorch, bfloat16, torch.compile": (TORCH, "--compile --epochs 2"),
    "stock Keras, batch 512": (KERAS, "--batch 512 --epochs 2"),
    "this project, batch 512": (OURS, "--batch 512 --epochs 3"),
    "this project, float32, batch 512": (OURS, "--batch 512 --precision float32 --epochs 2"),
    "PyTorch, bfloat16, batch 512": (TORCH, "--batch 512 --epochs 3"),
}
# A target: the row, the row it is compared with, and the largest ratio that reaches it.
TARGETS = [
    ("this project, same augmentation", "the mini-project's recipe as written", 0.30),
    ("this project", "PyTorch, bfloat16", 0.80),
    ("this project, batch 512", "PyTorch, bfloat16, batch 512", 0.80),
    ("this project, same augmentation, float32", "the mini-project's recipe as written", 1.0),
    ("this project, float32", "stock Keras", 1.0),
    ("this project, float32, batch 512", "stock Keras, batch 512", 1.0),
]
MATRIX_SHARE = 0.30
# Once each, beside "this project": what a part of the fast path brings.
PARTS = {
    "without towers": "--without towers",
    "without the fused batch normalization (and its towers)": "--without bn",
    "one step an execution": "--without steps",
    "float32": "--precision float32",
}
SIZES, BATCHES = (5500, 11000, 27500, 55000), (32, 64, 128, 256, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of every side")
    args = parser.parse_args()
    rows = {name: side for name, side in SIDES.items() if side[0] != TORCH or _has_torch()}
    found: dict[str, Any] = {"sides": {name: [] for name in rows}}
    for turn in range(args.rounds):
        for name, (script, options) in rows.items():
            found["sides"][name].append(measure(script, f"{options} --seed {turn}"))
            print(f"round {turn + 1}/{args.rounds}  {name}: {_seconds(found['sides'][name]):.1f} s", flush=True)
    found["machine"] = measure("machine", "")
    found["operations"] = measure("operations", "--size 12800")
    found["parts"] = {"all of it": _once("")} | {name: _once(options) for name, options in PARTS.items()}
    found["sizes"] = {size: _once(f"--size {size}") for size in SIZES}
    found["batches"] = {batch: _once(f"--batch {batch}") for batch in BATCHES}
    write(found)


def measure(script: str, options: str) -> dict[str, Any]:
    """Run one side in a process of its own; the last line that it prints is its result."""
    done = subprocess.run(
        [sys.executable, "-m", f"studies.speed.{script}", *options.split()],
        cwd=files.PROJECT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{script} {options} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def write(found: dict[str, Any]) -> None:
    """The tables, from one run's measurements."""
    files.write_json(results.FOLDER / "bench.json", found)
    sides = table_of_sides(found["sides"])
    targets = table_of_targets(found)
    page = "\n\n".join(
        [
            "# Speed, measured in one run",
            f"{platform.machine()}, {cores.available()} cores, Python {platform.python_version()}. An epoch is "
            "55,000 images through the 242,442-parameter network and 5,000 validation images; batch size 64 "
            "where nothing else is said. Each side ran in a process of its own, in turns; the median of all "
            "epochs but the first of each process, which compiles.",
            sides,
            "In the ratios, the other side counts with the shortest epoch of each process: tf.data's autotuner "
            "holds the ends of some of stock Keras's epochs for tens of seconds.",
            targets,
            "## What each part brings",
            _simple(found["parts"], "seconds an epoch"),
            "## Growth",
            _simple({f"{size:,} images": s for size, s in found["sizes"].items()}, "seconds an epoch"),
            _simple({f"batch size {b}": s for b, s in found["batches"].items()}, "seconds an epoch"),
            "## Where a step's time goes",
            "One thread, batch size 64, with augmentation; the profiler's own cost is in it.",
            _simple(found["operations"], "ms a step", digits=2),
        ]
    )
    files.write_text(results.FOLDER / "bench.md", page + "\n")
    readme = files.PROJECT / "README.md"
    text = publish.with_table(readme.read_text(encoding="utf-8"), f"{sides}\n\n{targets}", MARKS)
    files.write_text(readme, text)
    print(targets)


def table_of_sides(sides: dict[str, list]) -> str:
    """A row a side: medians over all turns."""

    def row(name: str, turns: list[dict]) -> list[str]:
        seconds = sorted(_all(turns, "seconds"))
        busy = statistics.median(_all(turns, "processor_seconds")) / statistics.median(seconds)
        scores = [turn["val_accuracy"] for turn in turns]
        return [
            name,
            f"{statistics.median(seconds):.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f})",
            f"{55000 / statistics.median(seconds):,.0f}",
            f"{busy:.1f}",
            f"{statistics.median(turn['predicted_per_second'] for turn in turns):,.0f}",
            f"{max(turn['peak_megabytes'] for turn in turns):,}",
            ", ".join(f"{score:.3f}" for score in scores) + f" after {SIDES[name][1].split('--epochs ')[1][0]}",
        ]

    header = [
        "what",
        "seconds an epoch (range)",
        "images/s trained",
        "cores busy",
        "images/s predicted",
        "peak MB",
        "validation accuracy, a seed each, after epochs",
    ]
    return formatting.markdown_table(header, [row(name, turns) for name, turns in sides.items()])


def table_of_targets(found: dict[str, Any]) -> str:
    """Ratios beside what was to be reached."""
    sides, machine = found["sides"], found["machine"]
    rows = [
        [f"{name} / {other}", f"{_seconds(sides[name]) / _shortest(sides[other]):.2f}", f"at most {target:.2f}"]
        for name, other, target in TARGETS
        if name in sides and other in sides
    ]
    rate = 55000 * machine["flops_an_image"] / _seconds(sides["this project, batch 512"]) / 1e9
    rows.append(
        [
            f"batch 512, GFLOP/s of training as a share of a bfloat16 matrix product's {machine['bfloat16']:,}",
            f"{rate / machine['bfloat16']:.2f}",
            f"at least {MATRIX_SHARE:.2f}",
        ]
    )
    peak = max(turn["peak_megabytes"] for name in sides if SIDES[name][0] == OURS for turn in sides[name])
    rows.append(["peak memory of this project's sides, MB", f"{peak:,}", "below 2,000"])
    return formatting.markdown_table(["ratio", "measured", "to reach"], rows)


def _simple(values: dict[str, float], unit: str, digits: int = 1) -> str:
    return formatting.markdown_table(
        ["", unit], [[str(key), f"{value:.{digits}f}"] for key, value in values.items()]
    )


def _once(options: str) -> float:
    return _seconds([measure(OURS, f"--epochs 2 {options}")])


def _seconds(turns: list[dict]) -> float:
    return statistics.median(_all(turns, "seconds"))


def _shortest(turns: list[dict]) -> float:
    """The median over turns of each turn's shortest epoch: what the work takes, without stalls."""
    return statistics.median(min(turn["seconds"]) for turn in turns)


def _all(turns: list[dict], key: str) -> list[float]:
    return [value for turn in turns for value in turn[key]]


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


if __name__ == "__main__":
    main()
