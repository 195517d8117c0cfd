"""The small files of results that lessons read: what they hold is what their commands make."""

import itertools

import champion_ideas
import numpy as np
import pandas as pd
import pytest

from fmnist_utils import batch, corruptions, data, grid, publish, runs

FIGURES = runs.PROJECT / "figures"


@pytest.mark.parametrize(
    "name", ["tuning", "replicates", "claims", "robustness", "champion_ideas", "champion_schedules"]
)
def test_a_kept_table_says_how_it_was_made(name):
    first = (FIGURES / f"{name}.csv").read_text().splitlines()[0]
    assert first.startswith("# ") and "ritten by" in first


@pytest.mark.parametrize(
    ("name", "grids", "varied"),
    [
        (
            "tuning",
            ["tuning.yaml", "tuning_confirmed.yaml"],
            {"NETWORK", "OPTIMIZER", "LEARNING_RATE", "BATCH_SIZE", "EPOCHS", "DROPOUT", "SEED", "SPLIT_SEED"},
        ),
        ("claims", ["claims.yaml"], {"NETWORK", "EPOCHS", "DROPOUT", "WHITE", "ROTATION", "SEED"}),
    ],
)
def test_kept_results_are_those_of_their_grids(name, grids, varied):
    form = grid.Notebook(batch.NOTEBOOKS / "one_training.ipynb")
    files = [batch.NOTEBOOKS / file for file in grids]
    planned = [form.complete(run) for file in files for run in grid.plan(form, grid.read(file), {})]
    results = pd.read_csv(FIGURES / f"{name}.csv", comment="#")
    names = [name for name in results if name in planned[0]]
    assert varied <= set(names)
    assert sorted(tuple(run[name] for name in names) for run in planned) == sorted(
        results[names].itertuples(index=False, name=None)
    )


def test_the_replicates_are_five_seeds_of_each_model_of_lesson_5():
    results = pd.read_csv(FIGURES / "replicates.csv", comment="#")
    names = {"dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"}
    assert sorted(zip(results["model_name"], results["SEED"], strict=True)) == [
        (name, seed) for name in sorted(names) for seed in range(5)
    ]


def test_a_set_up_that_was_trained_for_both_files_came_out_alike():
    replicates, claims = (
        pd.read_csv(FIGURES / f"{name}.csv", comment="#") for name in ("replicates", "claims")
    )
    control = claims[(claims["model_name"] == "control") & (claims["DROPOUT"] == 0.5)]
    again = replicates[replicates["model_name"] == "control"]
    assert len(control) == len(again) == 5
    assert control["val_accuracy"].mean() == pytest.approx(again["val_accuracy"].mean(), abs=0.005)


def test_the_readme_has_the_replicates_means_and_deviations():
    readme = (runs.PROJECT / "README.md").read_text(encoding="utf-8")
    assert publish.replicates_table() in readme
    kept = pd.read_csv(FIGURES / "replicates.csv", comment="#")
    for name, tested in kept.groupby("model_name")["test_accuracy"]:
        row = next(line for line in readme.splitlines() if line.startswith(f"| {name} | 5 |"))
        assert f"{tested.mean():.2%} ± {tested.std():.2%} | {tested.min():.2%} to {tested.max():.2%}" in row


def test_robustness_has_each_model_seed_kind_and_severity():
    table = pd.read_csv(FIGURES / "robustness.csv", comment="#")
    models = ("dense", "two_conv", "blog", "batchnorm", "augmented")
    degrees = [(kind, severity) for kind in corruptions.KINDS for severity in corruptions.SEVERITIES]
    degrees += [("none", 0), ("mirrored", 1), ("upside down", 1)]
    expected = {(name, seed, *degree) for name in models for seed in range(5) for degree in degrees}
    assert len(table) == len(expected)
    assert set(table[["model_name", "SEED", "kind", "severity"]].itertuples(index=False, name=None)) == expected
    replicates = pd.read_csv(FIGURES / "replicates.csv", comment="#").set_index(["model_name", "SEED"])
    whole = table[table["kind"] == "none"].set_index(["model_name", "SEED"])["accuracy"]
    assert (whole - replicates["test_accuracy"].reindex(whole.index)).abs().max() < 0.01, "half of the images"


def test_the_recipe_has_five_seeds_of_fifteen_epochs():
    recipe = runs.read_json(FIGURES / "recipe.json")
    for key in ("accuracy", "test_accuracy", "test_loss"):
        assert np.shape(recipe[key]) == (5, 15), key
    assert recipe["command"] == "python tests/bench/recipe.py"
    assert np.mean(recipe["accuracy"]) < np.mean(recipe["test_accuracy"]), "dropout and augmentation are on"
    assert 0 < np.mean(recipe["optimism_of_the_best_epoch"]) < 0.01


def test_the_probabilities_out_of_fold_are_those_of_all_training_images():
    kept = np.load(FIGURES / "out_of_fold.npz")["probabilities"]
    assert kept.shape == (60_000, 10) and kept.dtype == np.float16
    assert np.allclose(kept.astype(float).sum(axis=1), 1, atol=0.01)
    assert 0.91 < (kept.argmax(axis=1) == data.load().train.labels).mean() < 0.93


def test_the_ideas_were_trained_as_their_recipes_say():
    table = pd.read_csv(FIGURES / "champion_ideas.csv", comment="#")
    again = itertools.product(["as it is", *champion_ideas.CONFIRMED], [7], range(1, 6))
    planned = [*itertools.product(champion_ideas.SINGLE, [7], [0]), *again]
    planned += itertools.product(champion_ideas.LONG, [36], [0])
    found = table[["name", "schedule", "SEED"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(planned)
    for row in table.itertuples():
        idea = champion_ideas.IDEAS[row.theme][row.name]
        assert (row.why, row.part) == (idea.why, idea.part)
        assert row.epochs == champion_ideas.recipe(row.name, row.schedule).epochs
    assert table["parameters"].max() <= 250_000


def test_the_schedules_have_their_seeds_and_kept_to_their_minutes():
    table = pd.read_csv(FIGURES / "champion_schedules.csv", comment="#")
    planned = [
        (model, minutes, seed, epochs)
        for model, (_, schedules) in champion_ideas.SCHEDULES.items()
        for minutes, epochs in schedules.items()
        for seed in champion_ideas.seeds(model, minutes)
    ]
    found = table[["model_name", "schedule", "SEED", "epochs"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(planned)
    assert (table["seconds"] <= 66 * table["schedule"]).all(), "a tenth more in slow hours"
    ten_minutes = table[(table["model_name"] == "champion") & (table["schedule"] == 10)]
    assert (ten_minutes["seconds"] <= 600).all()
    assert ten_minutes["views_accuracy"].mean() >= champion_ideas.GATE


def test_the_final_measurement_is_five_seeds_within_the_rules():
    final = runs.read_json(FIGURES / "champion.json")
    assert final["epochs"] == champion_ideas.FINAL_EPOCHS
    assert len(final["seconds"]) == len(final["views_accuracy"]) == 5
    assert max(final["seconds"]) <= 600
    assert final["parameters"] <= 250_000
    matrix = np.array(final["confusion_matrix"])
    assert matrix.sum() == 10_000
    accuracy = final["views_accuracy"][final["published_seed"]]
    assert np.trace(matrix) / 10_000 == pytest.approx(accuracy, abs=0.0003), (
        "averaged in the model, and outside"
    )
