"""Lesson 10's two-level heads against flat ones: ``python -m studies.photographs.hierarchy``.

It writes ``results/hierarchy.csv``, five seeds each on Fashion-MNIST and on the photographs' frozen features,
judged by validation images and validation senders. One training at a time, on one core: ten minutes. It can
be stopped, and goes on where it was. Nothing of a test part is looked at.
"""

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.photographs.hierarchy_training import Settings

SEEDS = range(5)
ASKED = (
    Settings("photographs", epochs=20, batch_size=32, precision="float32"),
    Settings("Fashion-MNIST", epochs=5, batch_size=64, precision="bfloat16"),
)
HEAD = (
    "# Flat heads and two-level ones, validation parts. Written by `python -m studies.photographs.hierarchy`."
)


def main() -> None:
    folders = jobs.run([job(settings, seed) for settings in ASKED for seed in SEEDS])
    table = pd.concat([pd.read_csv(folder / "result.csv") for folder in folders])
    files.write_text(results.FOLDER / "hierarchy.csv", f"{HEAD}\n{table.to_csv(index=False)}")


def job(settings: Settings, seed: int) -> jobs.Job:
    """One process trains both heads of a seed."""
    kept_as = "photographs", "hierarchy", settings.of
    return jobs.Job("studies.photographs.hierarchy_training", *kept_as, seed, settings, jobs.ONE_THREAD)


if __name__ == "__main__":
    main()
