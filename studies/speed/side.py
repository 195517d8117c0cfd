"""What the sides of the benchmark share: arguments, data, and the line of JSON that each prints."""

import argparse
import json
import resource
import sys
from collections.abc import Callable

import numpy as np

from fmnist_utils import data
from studies.speed.clock import Clock, median_seconds


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


def report(clock: Clock, accuracy: float, predict: Callable[[], object], images: int) -> None:
    """Print what was measured as one line of JSON. The first epoch, which compiles, is left out.

    Args:
        clock: a lap for each epoch.
        accuracy: on the validation images, after the last.
        predict: predicts all training images.
        images: how many these are.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    found = {
        "seconds": [wall for wall, _ in clock.laps[1:]],
        "processor_seconds": [processor for _, processor in clock.laps[1:]],
        "val_accuracy": accuracy,
        "peak_megabytes": round(peak),
        "predicted_per_second": round(images / median_seconds(predict, repeats=1, unmeasured=1)),
    }
    print(json.dumps(found))
