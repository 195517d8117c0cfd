"""What each step of preparing a photograph is worth: ``python -m studies.photographs.steps``.

It writes ``results/photograph_steps.csv``: accuracy of the champion, and of lesson 2's network, on photographs
of the nine labels that have a class in Fashion-MNIST, prepared in each of ``VARIANTS``; intervals by drawing
senders anew. The photographs of the test senders are not looked at. Ten minutes on two cores.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pandas as pd

from fmnist_utils import champion, data, models, photographs, results, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras
from studies.photographs import scoring
from studies.photographs.settings import SPLIT_SEED
from studies.photographs.variants import VARIANTS

TABLE = "photograph_steps"
COLUMNS = ["part", "network", "variant", "label", "photographs", "accuracy", "low", "high"]
CONFIG = training.TrainingConfig(epochs=15, batch_size=64, seed=0)  # lesson 2's


def main() -> None:
    cv2.setNumThreads(1)
    training.use_precision("float32")
    networks = {"champion": champion.load(), "two_conv": small()}
    train, validation, _ = photographs.split(photographs.load(), SPLIT_SEED)
    rows = [
        (part, *row)
        for part, shown in {"train": train, "validation": validation}.items()
        for row in judged(networks, shown.at(np.isin(shown.label, scoring.LABELS)))
    ]
    head = "# Written by `python -m studies.photographs.steps`. `balanced` is the mean over the nine labels."
    text = pd.DataFrame(rows, columns=COLUMNS).round(5).to_csv(index=False)
    files.write_text(results.FOLDER / f"{TABLE}.csv", f"{head}\n{text}")


def small() -> keras.Model:
    """Lesson 2's network."""
    train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
    return training.train_or_load(models.two_conv(), train, validation, CONFIG, name=TABLE).model


def judged(networks: dict[str, keras.Model], known: photographs.Photographs) -> Iterator[tuple]:
    """Rows without their part: each variant, each network, each label."""
    for variant, prepare in VARIANTS.items():
        pictures = np.stack([prepare(image) for image in known.image])
        for network, model in networks.items():
            answers = training.predict(model, pictures, 100).argmax(axis=1)
            for label, score in scoring.scores(known, answers).items():
                yield network, variant, label, *score
        print(variant, flush=True)


if __name__ == "__main__":
    main()
