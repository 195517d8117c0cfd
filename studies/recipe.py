"""The mini-project's recipe to the letter, over several seeds: where does its 89.29% fall?

All 60,000 training images, ``ImageDataGenerator``, stock Keras layers in float32, Adam, batch size 64, 15
epochs, and, as its write-up has it, the test set as validation data after every epoch. Nothing of this
project's fast path is imported. Two seeds at a time with one thread each; a seed that is done is not repeated.

Writes ``results/recipe.json``: training and test accuracy after each epoch of each seed, and what choosing on
the test set would be worth.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils import data, evaluation
from fmnist_utils.support import files

EPOCHS = 15
SEEDS = range(5)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", type=int, metavar="SEED", help="train this seed only, and write no summary")
    parser.add_argument("--store", type=Path, default=files.PROJECT / "runs" / "recipe")
    args = parser.parse_args()
    trainings = {seed: args.store / f"{seed}.npz" for seed in SEEDS}
    if args.one is not None:
        train(args.one, trainings[args.one])
        return
    with ThreadPoolExecutor(max_workers=2) as side_by_side:
        list(side_by_side.map(start, [seed for seed in SEEDS if not trainings[seed].exists()]))
    files.write_json(
        files.PROJECT / "results" / "recipe.json", summary([np.load(file) for file in trainings.values()])
    )


def start(seed: int) -> None:
    """Train one seed in a process of its own."""
    command = [sys.executable, "-m", "studies.recipe", "--one", str(seed), *sys.argv[1:]]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def train(seed: int, file: Path) -> None:
    """Train one seed, and keep which test images were classified rightly after each epoch."""
    import keras
    import stock

    keras.utils.set_random_seed(seed)
    known = data.load()
    test = data.read_test("studies/recipe.py: the mini-project's recipe, which validates on the test set")
    x, y = data.rescale(known.train.images), data.one_hot(known.train.labels)
    x_test, y_test = data.rescale(test.images), data.one_hot(test.labels)
    model = stock.network()
    correct = []

    def look(epoch: int, logs: dict[str, float]) -> None:
        correct.append(model.predict(x_test, batch_size=500, verbose=0).argmax(axis=1) == test.labels)
        print(f"seed {seed}, epoch {epoch + 1}: {logs['accuracy']:.4f} {correct[-1].mean():.4f}", flush=True)

    began = time.perf_counter()
    history = model.fit(
        stock.augmented(x, y, batch_size=64, seed=seed),
        validation_data=(x_test, y_test),
        epochs=EPOCHS,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
    ).history
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part.npz")
    np.savez_compressed(
        beside,
        correct=np.packbits(correct, axis=1),
        accuracy=history["accuracy"],
        test_loss=history["val_loss"],
        seconds=time.perf_counter() - began,
    )
    beside.replace(file)


def summary(seeds: list[Any]) -> dict[str, Any]:
    """What the seeds say, for the lesson."""
    correct = np.stack([np.unpackbits(seed["correct"], axis=1)[:, :10_000] for seed in seeds]).astype(bool)
    return {
        "command": "python -m studies.recipe",
        "hours": round(sum(float(seed["seconds"]) for seed in seeds) / 3600, 2),
        "accuracy": [seed["accuracy"].round(4).tolist() for seed in seeds],
        "test_accuracy": correct.mean(axis=2).round(4).tolist(),
        "test_loss": [seed["test_loss"].round(4).tolist() for seed in seeds],
        "optimism_of_the_best_epoch": [round(evaluation.optimism(epochs), 5) for epochs in correct],
        "optimism_of_the_best_epoch_and_seed": round(evaluation.optimism(np.concatenate(correct)), 5),
    }


if __name__ == "__main__":
    main()
