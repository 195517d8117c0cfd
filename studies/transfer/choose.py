"""How lesson 9's study came to its settings: ``python -m studies.transfer.choose``.

With other labelled images than those of the study it compares, on the validation images, strengths of linear
models and learning rates of fine-tuning. It writes ``results/transfer_choices.csv``; ``settings`` has what it
chose. A quarter of an hour on two cores.
"""

from collections.abc import Iterator
from itertools import product

import pandas as pd

from fmnist_utils import data, results, training
from fmnist_utils.support import files
from studies import jobs
from studies.transfer import features, study
from studies.transfer.settings import SIDES, SIZES, SPLIT_SEED, Settings

SEED = 5  # labelled images that the study does not use
TRIED = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
SIZE = 300  # labelled images with which learning rates are compared


def main() -> None:
    training.use_precision("float32")
    tried = [
        study.job(Settings(setup, (SIZE,), rate), SEED)
        for setup in ("scratch", "last block", "all")
        for rate in RATES
    ]
    rows = list(linear())
    for job, folder in zip(tried, jobs.run(tried, at_once=2), strict=True):
        (row,) = pd.read_csv(folder / "result.csv").to_dict("records")
        rows.append((job.settings.setup, SIZE, job.settings.learning_rate, row["val_accuracy"]))
    table = pd.DataFrame(rows, columns=["setup", "size", "value", "val_accuracy"]).round(5)
    head = "# C of linear models, learning rates of the others. Written by studies.transfer.choose."
    files.write_text(results.FOLDER / "transfer_choices.csv", f"{head}\n{table.to_csv(index=False)}")


def linear() -> Iterator[tuple[str, int, float, float]]:
    """Set-up, size, strength and validation accuracy of each linear model."""
    train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
    most = data.subset(train, SIZES[-2], SEED)
    rows = {image.tobytes(): row for row, image in enumerate(most.images)}
    for of in (features.pixels, *map(features.frozen, SIDES)):
        known, asked = of(most.images), of(validation.images)
        for name, values in known.items():
            for size, strength in product(SIZES[:-1], TRIED):
                few = data.subset(most, size, SEED)
                chosen = [rows[image.tobytes()] for image in few.images]
                model = features.regression(strength).fit(values[chosen], few.labels)
                yield name, size, strength, (model.predict(asked[name]) == validation.labels).mean()


if __name__ == "__main__":
    main()
