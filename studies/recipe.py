"""The mini-project's recipe to the letter, over several seeds: where does its 89.29% fall?

Two seeds at a time, a core each: three quarters of an hour on two cores. A seed that is done is not repeated.
``python -m studies.recipe`` writes ``results/recipe.json``: training and test accuracy after each epoch of each
seed, and what choosing on the test set would be worth. ``recipe_training`` is one training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils import evaluation, results
from fmnist_utils.support import files
from studies import jobs

SEEDS = range(5)


@dataclass(frozen=True)
class Recipe:
    """What the mini-project chose, beside its network and its augmentation."""

    epochs: int = 15
    batch_size: int = 64


def main() -> None:
    folders = jobs.run([job(seed) for seed in SEEDS], at_once=2)
    files.write_json(results.FOLDER / "recipe.json", summary(folders))


def job(seed: int) -> jobs.Job:
    """The training of one seed."""
    kept_as = "recipe", "mini-project", "to the letter"
    return jobs.Job("studies.recipe_training", *kept_as, seed, Recipe(), jobs.ONE_THREAD)


def summary(folders: Sequence[Path]) -> dict[str, Any]:
    """What the seeds say, for the lesson.

    Args:
        folders: of the finished trainings, in the order of their seeds.
    """
    seeds = [np.load(folder / "epochs.npz", allow_pickle=False) for folder in folders]
    correct = np.stack([np.unpackbits(seed["correct"], axis=1)[:, :10_000] for seed in seeds]).astype(bool)
    return {
        "command": "python -m studies.recipe",
        "keys": [files.read_json(folder / "job.json")["key"] for folder in folders],
        "hours": round(sum(float(seed["seconds"]) for seed in seeds) / 3600, 2),
        "accuracy": [seed["accuracy"].round(4).tolist() for seed in seeds],
        "test_accuracy": correct.mean(axis=2).round(4).tolist(),
        "test_loss": [seed["test_loss"].round(4).tolist() for seed in seeds],
        "optimism_of_the_best_epoch": [round(evaluation.optimism(epochs), 5) for epochs in correct],
        "optimism_of_the_best_epoch_and_seed": round(evaluation.optimism(np.concatenate(correct)), 5),
    }


if __name__ == "__main__":
    main()
