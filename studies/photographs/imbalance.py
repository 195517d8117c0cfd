"""Lesson 10's remedies for unequal classes: ``python -m studies.photographs.imbalance``.

It writes ``results/imbalance.csv``: five seeds of lesson 2's network on long-tailed Fashion-MNIST, as it is and
with each remedy, and what each answers to the validation images. One training at a time, on one core: a
quarter of an hour. It can be stopped, and goes on where it was. No test label is read.
"""

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.photographs.imbalance_training import Settings

SEEDS = range(5)  # each draws another order of the classes, and other images of them
HEAD = "# Long-tailed Fashion-MNIST, validation images. Written by `python -m studies.photographs.imbalance`."


def main() -> None:
    folders = jobs.run([job(seed) for seed in SEEDS])
    table = pd.concat([pd.read_csv(folder / "result.csv") for folder in folders])
    files.write_text(results.FOLDER / "imbalance.csv", f"{HEAD}\n{table.to_csv(index=False)}")


def job(seed: int) -> jobs.Job:
    """One process trains all ways of a seed."""
    kept_as = "photographs", "imbalance", "all ways"
    return jobs.Job("studies.photographs.imbalance_training", *kept_as, seed, Settings(), jobs.ONE_THREAD)


if __name__ == "__main__":
    main()
