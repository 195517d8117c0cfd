"""What the sides of the benchmark share: arguments, data, clock and the line of JSON that each prints."""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from fmnist_utils import data


def arguments(description: str) -> argparse.Namespace:
    """The options of a side's command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=55000, help="training images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="auto", choices=["auto", "bfloat16", "float32"])
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--without", default="", help="leave out one part of the fast path")
    return parser.parse_args()


def splits(args: argparse.Namespace) -> tuple[data.Split, data.Split]:
    """Training images, as many as asked for, and the 5,000 for validation."""
    train, validation = data.train_validation_split(data.load().train, seed=0)
    return data.subset(train, args.size, seed=0), validation


def arrays(args: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same as float images and one-hot labels in memory."""
    return [(data.rescale(split.images), data.one_hot(split.labels)) for split in splits(args)]


class Clock:
    """Wall and processor seconds of each lap."""

    def __init__(self) -> None:
        self.laps: list[tuple[float, float]] = []
        self._last = self._now()

    def lap(self) -> None:
        now = self._now()
        self.laps.append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def report(clock: Clock, accuracy: float, predict: Callable[[], object], images: int) -> None:
    """Print what was measured as one line of JSON. The first epoch, which compiles, is left out."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    predict()
    began = time.perf_counter()
    predict()
    rate = images / (time.perf_counter() - began)
    laps = clock.laps[1:]
    print(
        json.dumps(
            {
                "seconds": [wall for wall, _ in laps],
                "processor_seconds": [processor for _, processor in laps],
                "val_accuracy": accuracy,
                "peak_megabytes": round(peak),
                "predicted_per_second": round(rate),
            }
        )
    )
