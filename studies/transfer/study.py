"""Lesson 9's trainings with five seeds: ``python -m studies.transfer.study`` writes ``results/transfer.csv``.

Two trainings at a time, a core each: two hours on two cores. It can be stopped, and goes on where it was. No
test label is read.
"""

import argparse

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.transfer.settings import SIZES, Settings

SEEDS = range(5)  # each draws other labelled images; all set-ups get the same
RATES = {"scratch": 0.001, "last block": 0.0003, "all": 0.0001}  # of Adam, chosen by ``choose``


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--done", action="store_true", help="train nothing; write what is done so far")
    jobs_asked = planned()
    folders = jobs.finished(jobs_asked) if parser.parse_args().done else jobs.run(jobs_asked, at_once=2)
    table = pd.concat([pd.read_csv(folder / "result.csv") for folder in folders]).round(5)
    text = table.sort_values(["setup", "size", "SEED"], kind="stable").to_csv(index=False)
    files.write_text(
        results.FOLDER / "transfer.csv", f"# Written by `python -m studies.transfer.study`.\n{text}"
    )


def planned() -> list[jobs.Job]:
    """All trainings, those with few images first."""
    found = [job(Settings("linear", SIZES[:-1]), seed) for seed in SEEDS]
    found += [job(Settings("linear", SIZES[-1:]), 0)]  # with all images, no seed makes a difference
    found += [job(Settings(setup, SIZES[:5], rate), seed) for setup, rate in RATES.items() for seed in SEEDS]
    found += [job(Settings("wrong", (1_000,)), seed) for seed in SEEDS]
    found += [job(Settings("moving", (100, 300), RATES["all"]), seed) for seed in SEEDS]
    for size in SIZES[5:]:
        found += [job(Settings(setup, (size,), rate), seed) for seed in SEEDS for setup, rate in RATES.items()]
    found += [job(Settings("five classes", SIZES), seed) for seed in SEEDS]
    return found


def job(settings: Settings, seed: int) -> jobs.Job:
    """One process, with one core."""
    name = f"{settings.setup} {settings.sizes[-1]}"
    module = "studies.transfer.training"
    return jobs.Job(module, "transfer", settings.setup, name, seed, settings, jobs.ONE_THREAD)


if __name__ == "__main__":
    main()
