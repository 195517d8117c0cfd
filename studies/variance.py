"""Where the scatter of a set-up comes from: the split, the order of the images, or the initialization.

``python -m studies.variance`` trains lesson 2's network with five values of each of the three, the other two
held at 0, and writes ``results/variance.csv``. Dropout's draws go with the initialization. Two trainings at a
time, a core each: a quarter of an hour on two cores. What is done is not repeated.
``variance_training`` is one training; it reads the test labels, and nothing is chosen by them.
"""

from dataclasses import dataclass

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs

CAUSES = ("split", "order", "initialization")
VALUES = range(5)


@dataclass(frozen=True)
class Seeds:
    """The three seeds of a training of lesson 2's network with its default settings."""

    split: int = 0
    order: int = 0
    initialization: int = 0
    epochs: int = 15
    batch_size: int = 64


def main() -> None:
    planned = {(cause, value): job(cause, value) for cause in CAUSES for value in VALUES}
    folders = jobs.run(planned.values(), at_once=2)
    rows = [
        {"cause": cause, "value": value, **files.read_json(folder / "scores.json")}
        for (cause, value), folder in zip(planned, folders, strict=True)
    ]
    head = "# Lesson 2's network, one seed varied at a time. Written by `python -m studies.variance`."
    text = pd.DataFrame(rows).round(5).to_csv(index=False)
    files.write_text(results.FOLDER / "variance.csv", f"{head}\n{text}")


def job(cause: str, value: int) -> jobs.Job:
    """The training with one of the three seeds at ``value``; with 0 it is the same for all three."""
    seeds = Seeds(**{cause: value})
    name = "all 0" if seeds == Seeds() else cause
    return jobs.Job("studies.variance_training", "variance", "two_conv", name, value, seeds, jobs.ONE_THREAD)


if __name__ == "__main__":
    main()
