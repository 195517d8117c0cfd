"""Lesson 9's trainings with five seeds: ``python -m studies.transfer.study`` writes ``results/transfer.csv``.

Two hours on two cores; it can be stopped, and goes on where it was. No test label is read.
"""

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.transfer.settings import SIZES, Settings

SEEDS = range(5)  # each draws other labelled images; all set-ups get the same
GROUPS = (SIZES[:5], SIZES[5:6], SIZES[6:])  # what one process trains
RATES = {"scratch": 0.001, "last block": 0.0003, "all": 0.0001}  # of Adam, chosen by ``choose``


def main() -> None:
    folders = jobs.run(planned())
    table = pd.concat([pd.read_csv(folder / "result.csv") for folder in folders]).round(5)
    text = table.sort_values(["setup", "size", "SEED"], kind="stable").to_csv(index=False)
    files.write_text(
        results.FOLDER / "transfer.csv", f"# Written by `python -m studies.transfer.study`.\n{text}"
    )


def planned() -> list[jobs.Job]:
    """All trainings, those with few images first."""
    found = [job(Settings("linear", SIZES[:-1]), seed) for seed in SEEDS]
    for sizes in GROUPS:
        found += [job(Settings(setup, sizes, rate), seed) for setup, rate in RATES.items() for seed in SEEDS]
        if sizes == GROUPS[0]:
            found += [job(Settings("moving", (100, 300), RATES["all"]), seed) for seed in SEEDS]
            found += [job(Settings("wrong", (1_000,)), seed) for seed in SEEDS]
            found += [job(Settings("five classes", SIZES), seed) for seed in SEEDS]
            found.append(job(Settings("linear", SIZES[-1:]), 0))  # with all images, no seed makes a difference
    return found


def job(settings: Settings, seed: int) -> jobs.Job:
    """One process."""
    name = f"{settings.setup} {settings.sizes[-1]}"
    return jobs.Job("studies.transfer.training", "transfer", settings.setup, name, seed, settings, {})


if __name__ == "__main__":
    main()
