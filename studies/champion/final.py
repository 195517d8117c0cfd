"""The end of lesson 8's search: five seeds on all training images, the test labels, and the published model.

Everything is decided before: the recipe, the number of epochs, and that the model of the first seed is
published, however it does. About an hour on two cores. Writes ``results/champion.json`` and, into the package,
``champion.keras``, its checksum and its model card. What has been measured is not measured anew by accident:
only ``--again`` replaces it.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fmnist_utils import champion as published
from fmnist_utils import corruptions, data, evaluation, models, results, training
from fmnist_utils.fast import layers
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras, tf
from studies.champion import card as model_card
from studies.champion import ideas as champion_ideas
from studies.champion import search as champion
from studies.champion import training as champion_training

SEEDS = range(5)
PUBLISHED_SEED = 0
RECORD = champion.FIGURES / "champion.json"
CORRUPTED = 2_000  # test images under each corruption


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="replace what has been measured")
    require_permission(parser.parse_args().again)
    recipe = replace(champion_ideas.WINNER, epochs=champion_ideas.FINAL_EPOCHS)
    jobs = [champion.job("final", "champion", recipe, seed) for seed in SEEDS]
    for path in jobs:
        champion.start(path, {})
    trained = [stock(path.with_name("model.keras")) for path in jobs]
    test = data.read_test("studies/champion/final.py: five seeds of lesson 8's recipe, and the model card")
    seeds = [champion_training.views(model, test) for model in trained]
    best = models.averaging_views(trained[PUBLISHED_SEED])
    file = champion.STORE / "final" / published.MODEL.name
    best.save(file)
    results = [files.read_json(path.with_name("result.json")) for path in jobs]
    calibrations = [evaluation.calibration_curve(predict(models.averaging_views(m), test)) for m in trained]
    record = {
        "command": "python -m studies.champion.final",
        "epochs": recipe.epochs,
        "seconds": [result["seconds"] for result in results],
        "parameters": results[0]["parameters"],
        **{score: [round(seed[score], 5) for seed in seeds] for score in seeds[0]},
        "calibration_error": [round(c.expected_calibration_error, 4) for c in calibrations],
        "published_seed": PUBLISHED_SEED,
        "bytes": file.stat().st_size,
        **speed(trained[PUBLISHED_SEED], best, recipe.epochs, results),
        **details(best, test),
    }
    card = model_card.text(record)
    shutil.copyfile(file, published.MODEL)
    files.write_text(published.MODEL.with_suffix(".sha256"), published.checksum(file) + "\n")
    files.write_text(published.CARD, card)
    files.write_json(RECORD, record)


def require_permission(again: bool) -> None:
    """End here unless the gate is open, and the test labels were not read before, or shall be once more."""
    if RECORD.exists() and not again:
        raise SystemExit(f"{RECORD} is there: the test labels were read for it. --again reads them once more.")
    table = results.table("champion_schedules")
    held_out = results.over_seeds(table, "views_accuracy", model_name="champion", schedule=10)
    if len(held_out) < len(SEEDS) or held_out.mean() < champion_ideas.GATE:
        raise SystemExit(
            f"The gate is closed: {len(held_out)} seeds of ten minutes with a mean of {held_out.mean():.2%} on "
            f"held-out images; {len(SEEDS)} and {champion_ideas.GATE:.1%} are asked for. No test label "
            "was read."
        )


def stock(path: Path) -> keras.Model:
    """A trained model in float32 and Keras's own layers."""
    weights = keras.saving.load_model(path, compile=False).get_weights()
    model = layers.with_stock_layers(models.champion())
    model.set_weights(weights)
    return model


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


def speed(plain: keras.Model, best: keras.Model, epochs: int, results: list[dict]) -> dict[str, Any]:
    """Work and time of training and prediction."""
    seconds = statistics.median(result["seconds"] for result in results)
    work = 6 * models.multiply_adds(plain) * 60_000 * epochs  # forward once, back twice; 2 operations each
    peak = bfloat16_peak()
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
        "bfloat16_peak_gigaflops": round(peak / 1e9),
        **measured,
    }


def bfloat16_peak() -> float:
    """Operations a second of large matrix products, one on each core."""
    matrix = tf.cast(tf.random.normal([2, 2048, 2048]), tf.bfloat16)

    @tf.function(autograph=False)
    def products():
        powers = tf.unstack(matrix)
        for _ in range(4):
            powers = [tf.matmul(power, part) for power, part in zip(powers, tf.unstack(matrix), strict=True)]
        return [tf.reduce_sum(power) for power in powers]

    return 8 * 2 * 2048**3 / median_seconds(products)


def median_seconds(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(12):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
