"""The end of lesson 8's search: five seeds on all training images, the test labels, and the published model.

Everything is decided before: the recipe, the number of epochs, and that the model of the first seed is
published, however it does. About an hour on two cores. Writes ``results/champion.json`` and, into the package,
``champion.keras``, its checksum and its model card. What has been measured is not measured anew by accident:
only ``python -m studies.champion.final --again`` replaces it.
"""

import argparse
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fmnist_utils import champion, corruptions, data, evaluation, models, results, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras, tf
from studies import jobs
from studies.champion import card, ideas, search
from studies.champion.training import views
from studies.speed import machine
from studies.speed.clock import median_seconds
from studies.stock_layers import with_stock_layers

SEEDS = range(5)
PUBLISHED_SEED = 0
RECORD = results.FOLDER / "champion.json"
CORRUPTED = 2_000  # test images under each corruption


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="replace what has been measured")
    require_permission(parser.parse_args().again)
    recipe = replace(ideas.WINNER, epochs=ideas.FINAL_EPOCHS, held_out=0)
    folders = jobs.run(search.job("final", "champion", recipe, seed, {}) for seed in SEEDS)
    trained = [stock(folder / "model.keras") for folder in folders]
    best = models.averaging_views(trained[PUBLISHED_SEED])
    file = files.PROJECT / "runs" / search.STORE / champion.MODEL.name
    best.save(file)
    test = data.read_test("studies.champion.final: five seeds of lesson 8's recipe, and the model card")
    record = {
        "command": "python -m studies.champion.final",
        "epochs": recipe.epochs,
        **of_all_seeds(folders, trained, test),
        "published_seed": PUBLISHED_SEED,
        "bytes": file.stat().st_size,
        **details(best, test),
    }
    record |= speed(trained[PUBLISHED_SEED], best, recipe.epochs, statistics.median(record["seconds"]))
    shutil.copyfile(file, champion.MODEL)
    files.write_text(champion.MODEL.with_suffix(".sha256"), champion.checksum(file) + "\n")
    files.write_text(champion.CARD, card.text(record))
    files.write_json(RECORD, record)


def require_permission(again: bool) -> None:
    """Whether the test labels may be read.

    Raises:
        SystemExit: they were read for the record that is there, or the gate is closed.
    """
    if RECORD.exists() and not again:
        raise SystemExit(f"{RECORD} is there: the test labels were read for it. --again reads them once more.")
    table = results.table("champion_schedules")
    held_out = results.over_seeds(table, "views_accuracy", model_name="champion", schedule=10)
    if len(held_out) < len(SEEDS) or held_out.mean() < ideas.GATE:
        raise SystemExit(
            f"The gate is closed: {len(held_out)} seeds of ten minutes with a mean of {held_out.mean():.2%} on "
            f"held-out images; {len(SEEDS)} and {ideas.GATE:.1%} are asked for. No test label was read."
        )


def stock(path: Path) -> keras.Model:
    """A trained model in float32 and Keras's own layers."""
    weights = keras.saving.load_model(path, compile=False, safe_mode=True).get_weights()
    model = with_stock_layers(models.champion())
    model.set_weights(weights)
    return model


def of_all_seeds(folders: Sequence[Path], trained: Sequence[keras.Model], test: data.Split) -> dict[str, Any]:
    """What is measured of each seed, a value a seed, and the size of the network."""
    told = [files.read_json(folder / "result.json") for folder in folders]
    scores = [views(model, test) for model in trained]
    calibrations = [evaluation.calibration_curve(predict(models.averaging_views(m), test)) for m in trained]
    return {
        "keys": [files.read_json(folder / "job.json")["key"] for folder in folders],
        "seconds": [one["seconds"] for one in told],
        "parameters": told[0]["parameters"],
        **{score: [round(seed[score], 5) for seed in scores] for score in scores[0]},
        "calibration_error": [round(c.expected_calibration_error, 4) for c in calibrations],
    }


def details(model: keras.Model, test: data.Split) -> dict[str, Any]:
    """What the model card says of the published model, beyond its accuracy."""
    predictions = predict(model, test)
    scores = evaluation.class_scores(predictions)
    some = data.subset(test, CORRUPTED, seed=0)
    worse = {"none": round(predict(model, some).accuracy, 4)}
    for kind in corruptions.KINDS:
        images = corruptions.corrupt(some.images, kind, 3)
        worse[kind] = round(predict(model, data.Split(images, some.labels)).accuracy, 4)
    return {
        "classes": {name: values.round(4).tolist() for name, values in scores.items()},
        "confusion_matrix": evaluation.confusion_matrix(predictions).tolist(),
        "corrupted": CORRUPTED,
        "accuracy_under_corruption": worse,
    }


def predict(model: keras.Model, split: data.Split) -> evaluation.Predictions:
    return evaluation.Predictions(training.predict(model, split.images), split.labels)


def speed(plain: keras.Model, best: keras.Model, epochs: int, seconds: float) -> dict[str, Any]:
    """Work and time of training, which took so many seconds, and of prediction."""
    work = 6 * models.multiply_adds(plain) * 60_000 * epochs  # forward once, back twice; 2 operations each
    many = data.load().train.images[:1_000]
    one = tf.constant(data.rescale(many[:1]))
    measured = {}
    for name, model in {"plain": plain, "published": best}.items():
        call = tf.function(partial(model, training=False), autograph=False)
        measured[f"{name}_milliseconds_for_one_image"] = round(1000 * median_seconds(partial(call, one)), 2)
        in_bulk = median_seconds(partial(training.predict, model, many))
        measured[f"{name}_images_per_second"] = round(len(many) / in_bulk)
    return {
        "multiply_adds": models.multiply_adds(plain),
        "training_gigaflops": round(work / seconds / 1e9),
        "bfloat16_peak_gigaflops": round(machine.gigaflops(tf.bfloat16)),
        **measured,
    }


if __name__ == "__main__":
    main()
