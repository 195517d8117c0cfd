"""One training by the mini-project's recipe: ``python -m studies.recipe_training JOB.json``.

All 60,000 training images, ``ImageDataGenerator``, stock Keras layers in float32, Adam, and, as its write-up
has it, the test set as validation data after every epoch. Nothing of this project's fast path is imported.
``recipe`` starts it. It writes ``epochs.npz`` beside the job: accuracies and losses after each epoch, and which
test images were classified rightly.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np

from fmnist_utils import data
from fmnist_utils.support import files
from studies.speed import stock


def main(job: Path) -> None:
    """Train as the job says."""
    told = files.read_json(job)
    settings, seed = told["settings"], told["seed"]
    keras.utils.set_random_seed(seed)
    known = data.load().train
    test = data.read_test("studies.recipe: the mini-project's recipe, which validates on the test set")
    x, y = data.rescale(known.images), data.one_hot(known.labels)
    x_test, y_test = data.rescale(test.images), data.one_hot(test.labels)
    model = stock.network()
    correct = []

    def look(epoch: int, logs: dict[str, float]) -> None:
        correct.append(model.predict(x_test, batch_size=500, verbose=0).argmax(axis=1) == test.labels)
        print(f"epoch {epoch + 1}: {logs['accuracy']:.4f} {correct[-1].mean():.4f}", flush=True)

    began = time.perf_counter()
    history = model.fit(
        stock.augmented(x, y, batch_size=settings["batch_size"], seed=seed),
        validation_data=(x_test, y_test),
        epochs=settings["epochs"],
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
    ).history
    np.savez_compressed(
        job.with_name("epochs.npz"),
        correct=np.packbits(correct, axis=1),
        accuracy=history["accuracy"],
        test_loss=history["val_loss"],
        seconds=time.perf_counter() - began,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
