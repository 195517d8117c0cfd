"""What lesson 9's set-ups cost: ``python -m studies.transfer.cost`` writes ``results/transfer_cost.csv``.

Each set-up in each precision is measured in a process of its own, alone on the machine: a quarter of an hour.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from fmnist_utils import data, models, pretrained, results, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras
from studies.transfer import features
from studies.transfer.settings import INNER, SPLIT_SEED, Settings
from studies.transfer.study import RATES
from studies.transfer.training import classifier, configuration

SIZE = 1_000  # labelled images
ASKED = 1_000  # images that are predicted, five times
FROZEN = {"last 97": 97, "inner 97": 97, "last 161": 161, "inner 161": 161}
SETUPS = ("pixels", *FROZEN, "scratch", "last block", "all")
PRECISIONS = ("float32", "bfloat16")

Answer = Callable[[np.ndarray], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setup", nargs="?", choices=SETUPS, help="measure this one here, and print it")
    parser.add_argument("precision", nargs="?", choices=PRECISIONS)
    asked = parser.parse_args()
    if asked.setup:
        print(json.dumps(measured(asked.setup, asked.precision)))
        return
    rows = []
    for setup in SETUPS:
        for precision in PRECISIONS[: 1 if setup == "pixels" else 2]:
            command = [sys.executable, "-m", "studies.transfer.cost", setup, precision]
            done = subprocess.run(command, cwd=files.PROJECT, check=True, capture_output=True, text=True)
            rows.append({"setup": setup, "precision": precision, **json.loads(done.stdout.splitlines()[-1])})
            print(rows[-1], flush=True)
    text = pd.DataFrame(rows).to_csv(index=False)
    head = (
        f"# {SIZE:,} labelled images, two cores of an AMD EPYC. Written by `python -m studies.transfer.cost`."
    )
    files.write_text(results.FOLDER / "transfer_cost.csv", f"{head}\n{text}")


def measured(setup: str, precision: str) -> dict[str, float]:
    """Parameters, bytes on disk, seconds of training, milliseconds an image, and the process's peak in MB."""
    training.use_precision(precision)
    train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
    labelled, asked = data.subset(train, SIZE, 0), validation.images[:ASKED]
    own = linear if setup == "pixels" or setup in FROZEN else network
    with tempfile.TemporaryDirectory() as folder:
        answer, row = own(setup, labelled, Path(folder))
        row["megabytes"] = round(sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6, 2)
    answer(asked)  # traces the graph
    times = []
    for _ in range(5):
        began = time.perf_counter()
        answer(asked)
        times.append(time.perf_counter() - began)
    row["milliseconds"] = round(1_000 * statistics.median(times) / ASKED, 3)
    return row | {"peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


def linear(setup: str, labelled: data.Split, folder: Path) -> tuple[Answer, dict[str, float]]:
    """A linear model on pixels, or on features that are computed now, as they are when it is asked."""
    frozen = setup in FROZEN
    if frozen:
        trunk = pretrained.backbone(FROZEN[setup])
        inner = setup.startswith("inner")
        model = pretrained.of_grey(pretrained.pooled(trunk, INNER, 2) if inner else pretrained.pooled(trunk))
        eyes = pretrained.folded(model)
        eyes.save_weights(folder / "eyes.weights.h5")

    def seen(images: np.ndarray) -> np.ndarray:
        return training.predict(eyes, images, 100) if frozen else features.pixels(images)["pixels"]

    if frozen:
        seen(labelled.images[:100])
    began = time.perf_counter()
    line = features.regression().fit(seen(labelled.images), labelled.labels)
    seconds = time.perf_counter() - began
    joblib.dump(line, folder / "line.joblib")
    trained = 10 * (line.n_features_in_ + 1)
    parameters = trained + (model.count_params() if frozen else 0)
    row = {"parameters": parameters, "trained": trained, "seconds": round(seconds, 2)}
    return lambda images: line.predict(seen(images)), row


def network(setup: str, labelled: data.Split, folder: Path) -> tuple[Answer, dict[str, float]]:
    """A network, from scratch or fine-tuned."""
    settings = Settings(setup, (SIZE,), RATES[setup])
    model = models.two_conv() if setup == "scratch" else classifier(settings)
    few = data.subset(labelled, 100, 0)
    one = configuration(settings, 10, 0)
    training.fit(keras.models.clone_model(model), few, few, one)  # so that no start-up is timed
    began = time.perf_counter()
    training.fit(model, labelled, few, configuration(settings, SIZE, 0))
    seconds = time.perf_counter() - began
    model.save(folder / "model.keras", include_optimizer=False)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    asked = model if setup == "scratch" else pretrained.folded(model)
    row = {"parameters": model.count_params(), "trained": trained, "seconds": round(seconds, 2)}
    return lambda images: training.predict(asked, images, 100), row


if __name__ == "__main__":
    main()
