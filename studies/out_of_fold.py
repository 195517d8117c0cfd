"""Probabilities for all 60,000 training images, each by a network that was not trained on it.

Five folds; for each the small network, with the settings that lesson 6's search found, is trained on the other
four. ``python -m studies.out_of_fold`` writes ``results/out_of_fold.npz``, with which lesson 7 looks for wrong
labels. About three minutes on two cores.
"""

import numpy as np
import yaml
from sklearn.model_selection import StratifiedKFold

from fmnist_utils import data, models, results, training, tuning
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras

FOLDS = 5
WINNER = yaml.safe_load((files.PROJECT / "studies" / "grids" / "tuning_confirmed.yaml").read_text("utf-8"))[0]


def main() -> None:
    training.use_precision("auto")
    known = data.load().train
    probabilities = np.empty((len(known), 10), np.float32)
    for kept, left_out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(
        known.images, known.labels
    ):
        probabilities[left_out] = trained_on(known, kept, left_out)
        right = probabilities[left_out].argmax(axis=1) == known.labels[left_out]
        print(f"{right.mean():.4f} of {len(left_out):,} images that had no part in the training", flush=True)
    half = probabilities.astype(np.float16)  # in half the space
    np.savez_compressed(results.FOLDER / "out_of_fold.npz", probabilities=half)


def trained_on(known: data.Split, kept: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The answers for some images of a network that was trained on others.

    Args:
        known: all of them.
        kept, left_out: int, the positions of those that are trained on, and of those that are asked for.

    Returns:
        Probabilities, float32, shape (len(left_out), 10).
    """
    train, asked = (data.Split(known.images[part], known.labels[part]) for part in (kept, left_out))
    keras.utils.set_random_seed(0)
    epochs, batch_size = WINNER["EPOCHS"], WINNER["BATCH_SIZE"]
    steps = epochs * -(-len(train) // batch_size)
    optimizer = tuning.optimizer(WINNER["OPTIMIZER"], WINNER["LEARNING_RATE"], steps)
    model = models.two_conv(WINNER["DROPOUT"])
    config = training.TrainingConfig(epochs=epochs, batch_size=batch_size, seed=0, optimizer=optimizer)
    training.fit(model, train, asked, config)
    return training.predict(model, asked.images)


if __name__ == "__main__":
    main()
