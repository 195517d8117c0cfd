"""Lesson 10's trainings on photographs, with five seeds: ``python -m studies.photographs.study``.

It writes ``results/photograph_networks.csv``, a row a training, and ``results/photograph_answers.npz``, what
each answers to the validation photographs. Two trainings at a time, a core each. It can be stopped, and goes on
where it was. No photograph of a test sender is looked at.
"""

import argparse

import numpy as np
import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.photographs.networks import Settings

SEEDS = range(5)
SETUPS = {  # by what the lesson calls them
    "28 pixels, grey": Settings(side=28, colour=False),
    "64 pixels, grey": Settings(colour=False),
    "64 pixels, colour": Settings(),
    "garment only": Settings(part="garment"),
    "garment hidden": Settings(part="background"),
    "its box hidden": Settings(part="beside"),
    "128 pixels, colour": Settings(side=128),
    "moved": Settings(augment="moved", epochs=40),  # what is never the same twice is learnt more slowly
    "moved, light": Settings(augment="moved, light", epochs=40),
    "fine-tuned": Settings(
        "ImageNet", 161, augment="cropped", epochs=6, learning_rate=3e-4, label_smoothing=0.1
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--done", action="store_true", help="train nothing; write what is done so far")
    asked = planned()
    folders = jobs.finished(asked) if parser.parse_args().done else jobs.run(asked, at_once=2)
    done = {folder: job for job, folder in zip(asked, (job.folder for job in asked), strict=True)}
    rows = [pd.read_csv(folder / "result.csv").assign(setup=done[folder].group) for folder in folders]
    table = pd.concat(rows).set_index("setup").round(5)
    head = "# Written by `python -m studies.photographs.study`; validation senders."
    files.write_text(results.FOLDER / "photograph_networks.csv", f"{head}\n{table.to_csv()}")
    answers = {
        name: np.stack(
            [
                np.load(folder / "answers.npy", allow_pickle=False)
                for folder in folders
                if done[folder].group == name
            ]
        )
        for name in table.index.unique()
    }
    with files.whole(results.FOLDER / "photograph_answers.npz") as beside, beside.open("wb") as file:
        np.savez_compressed(file, **answers)


def planned() -> list[jobs.Job]:
    """All trainings, seed by seed: what is done so far then compares all set-ups."""
    return [job(name, seed) for seed in SEEDS for name in SETUPS]


def job(name: str, seed: int) -> jobs.Job:
    """One process, with one core."""
    module = "studies.photographs.training"
    return jobs.Job(module, "photographs", name, "trained", seed, SETUPS[name], jobs.ONE_THREAD)


if __name__ == "__main__":
    main()
