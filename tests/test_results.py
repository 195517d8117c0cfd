"""The small files of results that lessons read: what they hold is what their commands make."""

import itertools
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement

from fmnist_utils import corruptions, data, results
from fmnist_utils.batch import grid, publish, series
from fmnist_utils.support import files
from studies.champion import ideas


@pytest.mark.parametrize(
    "name",
    [
        *("tuning", "replicates", "replicates_elsewhere", "claims", "robustness", "variance"),
        *("champion_ideas", "champion_schedules", "transfer", "transfer_choices", "transfer_cost"),
        *("photograph_steps", "photograph_made", "photograph_networks", "imbalance", "hierarchy"),
    ],
)
def test_a_kept_table_says_how_it_was_made(name):
    first = (results.FOLDER / f"{name}.csv").read_text().splitlines()[0]
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
    form = grid.Notebook(series.NOTEBOOKS / "one_training.ipynb")
    paths = [files.PROJECT / "studies" / "grids" / file for file in grids]
    planned = [form.complete(run) for path in paths for run in grid.plan(form, grid.read(path), {})]
    kept = results.table(name)
    names = [name for name in kept if name in planned[0]]
    assert varied <= set(names)
    assert sorted(tuple(run[name] for name in names) for run in planned) == sorted(
        kept[names].itertuples(index=False, name=None)
    )


MODELS = ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented")


def test_the_replicates_are_five_seeds_of_each_model_of_lesson_5():
    kept = results.table("replicates")
    of_lesson = kept[kept["PRECISION"] == "bfloat16"]
    assert sorted(zip(of_lesson["model_name"], of_lesson["SEED"], strict=True)) == [
        (name, seed) for name in sorted(MODELS) for seed in range(5)
    ]
    in_float32 = kept[kept["PRECISION"] == "float32"]
    assert set(in_float32["model_name"]) == set(MODELS)


@pytest.mark.parametrize("name", ["replicates", "replicates_elsewhere", "claims"])
def test_a_training_agrees_with_itself(name):
    """The last epoch is the last of the curve, and the counts of answers give the accuracy."""
    for row in results.table(name).itertuples():
        for key in ("accuracy", "loss", "val_accuracy", "val_loss"):
            last = float(getattr(row, f"{key}_by_epoch").split()[-1])
            assert last == pytest.approx(getattr(row, key), abs=6e-5), row
        if name != "claims":
            counts = np.array(row.confusion_matrix.split(), int).reshape(10, 10)
            assert np.trace(counts) / 10_000 == pytest.approx(row.test_accuracy, abs=1e-6), row


def test_the_answers_give_the_figures_of_their_trainings(real, tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path))  # where it is noted that the test labels were read
    _, validation = data.train_validation_split(real.train, seed=0)
    labels = np.concatenate([validation.labels, data.read_test("tests: the kept answers").labels])
    answers = results.answers()
    assert set(answers) == {*MODELS, "batchnorm, fresh averages", "augmented, fresh averages"}
    for name, seeds in answers.items():
        right = seeds.argmax(axis=2) == labels
        model, fresh, _ = name.partition(", fresh averages")
        for part, images in (("val", slice(5000)), ("test", slice(5000, None))):
            kept = results.replicates(f"{'fresh_' if fresh else ''}{part}_accuracy")[model]
            assert right[:, images].mean(axis=1) == pytest.approx(kept, abs=5e-4), (name, part)


def test_a_set_up_that_was_trained_for_both_files_came_out_alike():
    replicates, claims = results.table("replicates"), results.table("claims")
    control = claims[(claims["model_name"] == "control") & (claims["DROPOUT"] == 0.5)]
    of_control = replicates["model_name"] == "control"
    again = replicates[of_control & (replicates["PRECISION"] == "bfloat16")]
    assert len(control) == len(again) == 5
    assert control["val_accuracy"].mean() == pytest.approx(again["val_accuracy"].mean(), abs=0.005)


def test_the_readme_has_the_replicates_means_and_deviations():
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    assert publish.replicates_table() in readme
    kept = results.table("replicates")
    kept = kept[kept["PRECISION"] == "bfloat16"]
    for name, tested in kept.groupby("model_name")["test_accuracy"]:
        row = next(line for line in readme.splitlines() if line.startswith(f"| {name} | 5 |"))
        assert f"{tested.mean():.2%} ± {tested.std():.2%} | {tested.min():.2%} to {tested.max():.2%}" in row


def test_robustness_has_each_model_seed_kind_and_severity():
    table = results.table("robustness")
    models = ("dense", "two_conv", "blog", "batchnorm", "augmented")
    degrees = [(kind, severity) for kind in corruptions.KINDS for severity in corruptions.SEVERITIES]
    degrees += [("none", 0), ("mirrored", 1), ("upside down", 1)]
    expected = {(name, seed, *degree) for name in models for seed in range(5) for degree in degrees}
    assert len(table) == len(expected)
    assert set(table[["model_name", "SEED", "kind", "severity"]].itertuples(index=False, name=None)) == expected
    kept = results.table("replicates")
    replicates = kept[kept["PRECISION"] == "bfloat16"].set_index(["model_name", "SEED"])
    whole = table[table["kind"] == "none"].set_index(["model_name", "SEED"])["accuracy"]
    assert (whole - replicates["test_accuracy"].reindex(whole.index)).abs().max() < 0.01, "half of the images"


def test_the_recipe_has_five_seeds_of_fifteen_epochs():
    recipe = results.record("recipe")
    for key in ("accuracy", "test_accuracy", "test_loss"):
        assert np.shape(recipe[key]) == (5, 15), key
    assert recipe["command"] == "python -m studies.recipe"
    assert np.mean(recipe["accuracy"]) < np.mean(recipe["test_accuracy"]), "dropout and augmentation are on"
    assert 0 < np.mean(recipe["optimism_of_the_best_epoch"]) < 0.01


def test_the_probabilities_out_of_fold_are_those_of_all_training_images():
    kept = np.load(results.FOLDER / "out_of_fold.npz")["probabilities"]
    assert kept.shape == (60_000, 10) and kept.dtype == np.float16
    assert np.allclose(kept.astype(float).sum(axis=1), 1, atol=0.01)
    assert 0.91 < (kept.argmax(axis=1) == data.load().train.labels).mean() < 0.93


def test_the_ideas_were_trained_as_their_recipes_say():
    table = results.table("champion_ideas")
    again = itertools.product(["as it is", *ideas.CONFIRMED], [7], range(1, 6))
    planned = [*itertools.product(ideas.SINGLE, [7], [0]), *again]
    planned += itertools.product(ideas.LONG, [36], [0])
    found = table[["name", "schedule", "SEED"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(planned)
    for row in table.itertuples():
        idea = ideas.IDEAS[row.theme][row.name]
        assert (row.why, row.part) == (idea.why, idea.part)
        assert row.epochs == ideas.recipe(row.name, row.schedule).epochs
    assert table["parameters"].max() <= 250_000


def test_the_schedules_have_their_seeds_and_kept_to_their_minutes():
    table = results.table("champion_schedules")
    planned = [
        (model, minutes, seed, epochs)
        for model, (_, schedules) in ideas.SCHEDULES.items()
        for minutes, epochs in schedules.items()
        for seed in ideas.seeds(model, minutes)
    ]
    found = table[["model_name", "schedule", "SEED", "epochs"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(planned)
    assert (table["seconds"] <= 66 * table["schedule"]).all(), "a tenth more in slow hours"
    ten_minutes = table[(table["model_name"] == "champion") & (table["schedule"] == 10)]
    assert (ten_minutes["seconds"] <= 600).all()
    assert ten_minutes["views_accuracy"].mean() >= ideas.GATE


@pytest.mark.parametrize("name", ["champion_ideas", "champion_schedules"])
def test_a_key_stands_for_one_training(name):
    table = results.table(name)
    if "key" not in table:
        pytest.skip("trained before keys knew the code")
    assert table["key"].str.fullmatch("[0-9a-f]{12}").all() and table["key"].is_unique


def test_the_final_measurement_is_five_seeds_within_the_rules():
    final = results.record("champion")
    assert final["epochs"] == ideas.FINAL_EPOCHS
    assert len(final["seconds"]) == len(final["views_accuracy"]) == 5
    assert max(final["seconds"]) <= 600
    assert final["parameters"] <= 250_000
    matrix = np.array(final["confusion_matrix"])
    assert matrix.sum() == 10_000
    accuracy = final["views_accuracy"][final["published_seed"]]
    assert np.trace(matrix) / 10_000 == pytest.approx(accuracy, abs=0.0003), (
        "averaged in the model, and outside"
    )


def test_the_lessons_were_executed_with_the_results_that_are_kept():
    """One value changed in any of them, and ``make publish`` is due."""
    assert files.read_json(results.FOLDER / "kept.json") == results.checksums()


@pytest.mark.parametrize("name", sorted(results.checksums()))
def test_a_changed_value_in_a_kept_file_is_noticed(name, tmp_path):
    for path in results.FOLDER.iterdir():
        shutil.copy(path, tmp_path)
    _change_one_value(tmp_path / name)
    before, after = results.checksums(), results.checksums(tmp_path)
    assert [changed for changed in before if before[changed] != after[changed]] == [name]


def _change_one_value(path):
    if path.suffix == ".npz":
        with np.load(path) as kept:
            arrays = {key: kept[key] for key in kept.files}
        values = next(iter(arrays.values())).ravel()
        values[0] += 1 if values.dtype.kind == "u" else 0.01
        np.savez_compressed(path, **arrays)
        return
    text = path.read_text(encoding="utf-8")
    number = [*re.finditer(r"\b\d*\.?\d*[1-8]\b", text)][-1]
    digit = str(int(number[0][-1]) + 1)
    path.write_text(text[: number.end() - 1] + digit + text[number.end() :], encoding="utf-8")


def test_a_band_is_so_many_standard_deviations_about_the_replicates_mean(capsys):
    seeds = [0.899, 0.9, 0.901]  # of few the deviation is that of all groups
    results.print_bands({"in": 0.9049, "out": 0.9051}, {"in": seeds, "out": seeds, "other": seeds})
    assert capsys.readouterr().out == "in   within 0.8950 to 0.9050: yes\nout  within 0.8950 to 0.9050: no\n"


def test_of_many_trainings_the_standard_deviation_is_their_own():
    own = 0.9 + 0.001 * np.tile([-1.0, 1.0], 5)
    low, high = results.band("a", {"a": own, "b": [0.5, 0.9]})
    assert (low, high) == pytest.approx((0.9 - results.REACH * own.std(ddof=1), 1.8 - low))


def test_a_set_up_that_is_not_steady_gets_a_floor(capsys):
    results.print_bands({"a": 0.80, "b": 0.78}, dict.fromkeys("ab", [0.89, 0.91]))
    assert capsys.readouterr().out == "a  above 0.7900: yes\nb  above 0.7900: no\n"


def test_what_was_not_replicated_has_no_band(capsys):
    results.print_bands({"a": 0.9}, {"a": [0.9]})
    assert capsys.readouterr().out == "a  no band: nothing with these parameters was replicated\n"


def test_answers_are_yes_or_no(capsys):
    results.print_answers({"one": True, "three": False})
    assert capsys.readouterr().out == "one    yes\nthree  no\n"


def test_a_column_over_seeds_is_in_their_order_and_numbers_in_texts_are_numbers():
    table = pd.DataFrame(
        {
            "model_name": ["a", "a", "b"],
            "SEED": [1, 0, 0],
            "val_accuracy": [0.2, 0.1, 0.3],
            "val_loss_by_epoch": ["3 4", "1 2", "5 6"],
            "confusion_matrix": [" ".join(map(str, range(i, i + 100))) for i in (7, 0, 9)],
        }
    )
    assert results.over_seeds(table, "val_accuracy", model_name="a").tolist() == [0.1, 0.2]
    assert results.over_seeds(table, "val_loss_by_epoch", model_name="a").tolist() == [[1, 2], [3, 4]]
    matrices = results.over_seeds(table, "confusion_matrix", model_name="a")
    assert matrices.shape == (2, 10, 10) and matrices[1, 0, 0] == 7 and matrices[0, 9, 9] == 99
    few = table.assign(confusion_matrix=["1 2 3 4", "5 6 7 8", "0 0 0 0"])
    matrices = results.over_seeds(few, "confusion_matrix", model_name="a")
    assert matrices.tolist() == [[[5, 6], [7, 8]], [[1, 2], [3, 4]]]


def test_the_kept_replicates_are_five_seeds_of_seven_models():
    kept = results.replicates("confusion_matrix")
    assert set(kept) == set(MODELS)
    for name, matrices in kept.items():
        assert matrices.shape == (5, 10, 10) and (matrices.sum(axis=2) == 1000).all(), name
        accuracy = matrices.diagonal(axis1=1, axis2=2).sum(axis=1) / 10_000
        assert accuracy == pytest.approx(results.replicates("test_accuracy")[name], abs=1e-5)


def test_the_published_versions_are_within_the_requirements():
    kept = (results.FOLDER / "constraints.txt").read_text().splitlines()[1:]
    versions = {Requirement(line).name.lower(): line.partition("==")[2] for line in kept}
    lines = (files.PROJECT / "requirements.txt").read_text().splitlines()
    required = [Requirement(line.partition("#")[0]) for line in lines if line and not line.startswith("#")]
    assert len(required) > 25
    for requirement in required:
        assert requirement.specifier.contains(versions[requirement.name.lower()]), requirement
