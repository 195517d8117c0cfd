"""A sweep's results: one tidy table, the ranking over seeds, and pictures. No TensorFlow here."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from fmnist_utils.batch import series, states
from fmnist_utils.support import files, formatting

CURVES = ("accuracy", "loss", "val_accuracy", "val_loss")  # what Keras measures after each epoch
# What notebooks measure of finished models: of the training images, and ``evaluation.scores_to_keep``.
FINISHED = (
    *("fitted_accuracy", "fitted_loss", "test_accuracy", "test_loss", "calibration_error", "temperature"),
    *("scaled_calibration_error", "sure_coverage", "sure_accuracy", "confusion_matrix"),
    *("fresh_val_accuracy", "fresh_test_accuracy"),
)
# What a model's metrics.json has and the table keeps, and what it is called there. A parameter of the same
# name, in whichever case (spreadsheets and some file systems do not tell them apart), gets an underscore.
METRICS = {"name": "model_name", "parameters": "weights", "precision": "dtype_policy"}
METRICS |= {name: name for name in CURVES + FINISHED} | {"seconds": "training_seconds"}
SCORE = "val_accuracy"  # never the test accuracy: a ranking is a choice
RANKING = "ranking"  # the picture's name
SHOWN = 20  # set-ups in the printed ranking and its picture


def table(folder: Path) -> pd.DataFrame:
    """A row for each run and model of a sweep; a run that failed, or trained nothing, has one row.

    Columns: ``run``, ``notebook``, ``program`` (its code, the package's and the data), ``status``; the
    parameters by name (``attrs["parameters"]`` lists them); the model's metrics; ``seconds`` of the whole
    run; on what it ran; ``error``; ``executed``, where the notebook is, relative to ``folder``.
    """
    counted = states.entries(folder)[0].values()
    columns = _columns(counted)
    found = pd.DataFrame([row for state in counted for row in _rows(state, columns)])
    found.attrs["parameters"] = list(columns.values())
    return found


def write_table(folder: Path) -> pd.DataFrame:
    """Write the table of a sweep as ``results.csv``."""
    found = table(folder)
    if len(found):
        files.write_text(folder / "results.csv", found.to_csv(index=False))
    return found


def ranking(found: pd.DataFrame) -> pd.DataFrame:
    """Set-ups by their mean validation accuracy over seeds, best first.

    Runs of code that was changed since are left out. Columns: the notebook, the model, the parameters that
    vary (without SEED), and ``mean``, ``sd``, ``low``, ``high`` and ``runs``.
    """
    newest = trained(found)
    groups = newest.groupby(["notebook", "model_name", *varied(newest)], sort=False, dropna=False)[SCORE]
    summary = groups.agg(mean="mean", sd="std", low="min", high="max", runs="count").reset_index()
    return summary.sort_values("mean", ascending=False, ignore_index=True)


def varied(found: pd.DataFrame) -> list[str]:
    """The parameters of which a sweep has several values, without SEED, which is there to be averaged over."""
    names = [name for name in found.attrs["parameters"] if name.upper() != "SEED"]
    return [name for name in names if found[name].nunique(dropna=False) > 1]


def trained(found: pd.DataFrame) -> pd.DataFrame:
    """The complete runs with a model, of each notebook's newest code."""
    complete = found[(found["status"] == "complete") & found["model_name"].notna()]
    newest = complete.sort_values("started").groupby("notebook")["program"].last()
    return complete[complete["program"] == complete["notebook"].map(newest)]


def write(folder: Path) -> str:
    """Write a sweep's ``results.csv``, ``report.md`` and ``figures/``; returns the report, in Markdown.

    Raises:
        RefusedError: there are no runs.
    """
    if not folder.is_dir():
        raise series.RefusedError(f"There is no folder {folder}.")
    found = table(folder)
    if found.empty:
        raise series.RefusedError(f"{folder} holds no runs of a sweep.")
    lines = [_counts(found), *_unfinished(folder)]
    newest = trained(found)
    if len(newest):
        ranked = ranking(found)
        names = ranked.columns[:-5]  # the last five are statistics
        keys = [name for name in names if name == "model_name" or ranked[name].nunique() > 1]
        lines.append(_markdown(ranked, keys))
    failed = found[found["status"] == "failed"]
    lines += [f"failed: {run.run}: {run.error}" for run in failed.itertuples()]
    lines += [f"left out: {fault}" for fault in states.entries(folder)[1].values()]
    text = "\n\n".join(lines)
    try:
        files.write_text(folder / "results.csv", found.to_csv(index=False))
        files.write_text(folder / "report.md", text + "\n")
        if len(newest):
            _draw(newest, ranked, keys, folder)
    except OSError as error:  # it may be somebody else's, or full
        return f"{text}\n\nThis could not be kept: {error}"
    return text


def _rows(state: dict[str, Any], columns: dict[str, str]) -> list[dict[str, Any]]:
    given = {columns[name]: value for name, value in state["parameters"].items()}
    common = _common(state)
    first = {key: common.pop(key) for key in ("run", "notebook", "program", "status")}
    models = state.get("models") or [{}]
    return [first | given | {new: model.get(old) for old, new in METRICS.items()} | common for model in models]


def _columns(counted: Iterable[dict[str, Any]]) -> dict[str, str]:
    """A column for each parameter, and a picture's name: another than all others even in lower case."""
    taken = {column for state in counted for column in _common(state)} | set(METRICS.values()) | {RANKING}
    columns = {}
    for name in dict.fromkeys(name for state in counted for name in state["parameters"]):
        column = name
        while column.lower() in taken:
            column += "_"
        taken.add(column.lower())
        columns[name] = column
    return columns


def _common(state: dict[str, Any]) -> dict[str, Any]:
    """What the rows of a run share, but for its parameters."""
    names = ("notebook", "program", "status", "seconds", "started")
    common = {"run": state["key"]} | {name: state[name] for name in names} | state.get("environment", {})
    return common | {"error": state.get("error"), "executed": f"runs/{state['key']}/notebook.ipynb"}


def _counts(found: pd.DataFrame) -> str:
    each = found.drop_duplicates("run")
    complete, failed = ((each["status"] == status).sum() for status in ("complete", "failed"))
    hours = each["seconds"].sum() / 3600
    text = f"{len(each)} runs: {complete} complete, {failed} failed, {hours:.2f} hours of work."
    ranked, with_model = trained(found), found[found["model_name"].notna() & (found["status"] == "complete")]
    older = with_model["run"].nunique() - ranked["run"].nunique()
    return f"{text} Left out of the ranking: {older} of code that was changed since." if older else text


def _unfinished(folder: Path) -> list[str]:
    """A line for a sweep that has not done all of its runs."""
    with suppress(files.UnreadableError):
        state = states.read(folder / "sweep.json")
        files.require(state, folder / "sweep.json", runs=list)
        left = len({str(key) for key in state["runs"]} - set(states.entries(folder)[0]))
        if left:
            return [f"The sweep is {states.told(state)}, with {left} of {len(state['runs'])} runs still to do."]
    return []


def _markdown(ranked: pd.DataFrame, keys: list[str]) -> str:
    header = [*keys, "validation accuracy (mean ± sd)", "range", "seeds"]
    rows = [
        [str(row[name]) for name in keys]
        + [_mean(row), f"{row['low']:.4f} to {row['high']:.4f}", str(row["runs"])]
        for _, row in ranked.head(SHOWN).iterrows()
    ]
    text = formatting.markdown_table(header, rows)
    return text if len(ranked) <= SHOWN else f"{text}\n\nThe best {SHOWN} of {len(ranked)} set-ups."


def _mean(row: pd.Series) -> str:
    deviation = f" ± {row['sd']:.4f}" if row["runs"] > 1 else ""
    return f"{row['mean']:.4f}{deviation}"


def _draw(trained: pd.DataFrame, ranked: pd.DataFrame, keys: list[str], folder: Path) -> None:
    """The ranking, and for each parameter that varies the validation accuracy by its values."""
    from fmnist_utils import plots

    scores = dict(list(trained[SCORE].groupby(_labels(trained, keys))))
    points = {label: list(scores[label]) for label in _labels(ranked.head(SHOWN), keys)}
    title = "Every run, mean and standard deviation"
    figures = {RANKING: plots.strip_plot(points, "Validation accuracy", title)}
    figures |= {name: plots.point_plot(trained, name, SCORE, "model_name") for name in varied(trained)}
    for name, figure in figures.items():
        plots.save(figure, folder / "figures" / f"{name}.png")


def _labels(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    return rows[keys].astype(str).agg(", ".join, axis=1)
