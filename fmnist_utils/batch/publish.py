"""One complete default run becomes the repository's notebooks, figures and table, together."""

import importlib.metadata
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from fmnist_utils import results
from fmnist_utils.batch import notebook_files, series, states
from fmnist_utils.support import files, formatting

MARKS = ("<!-- results: written by make publish -->", "<!-- end of results -->")
PUBLISHED = {"blog": "about 85%", "augmented": "89.29%"}  # by the write-ups
BORROWED = {  # lesson 9's set-ups in words
    "last 97": "frozen features, last layer",
    "inner 97": "frozen features, inner layer",
    "last block": "last block fine-tuned",
    "all": "all fine-tuned",
}
WIDGET = "application/vnd.jupyter.widget-view+json"  # what an explorer shows; without a kernel it shows nothing
KEPT_METADATA = ("tags", "jupyter", "scrolled", "slideshow")


def publish(folder: Path, project: Path = files.PROJECT) -> None:
    """Copy notebooks, figures and table of a complete default run of the series into the project, all or none.

    Raises:
        BatchError: the run is not complete, has parameters, or its notebooks were edited since; or the
            README lacks the marks between which the table stands.
    """
    state = states.read(folder / "run.json")
    files.require(state, folder / "run.json", parameters=dict, notebooks=list, seconds=dict)
    names = [path.name for path in series.lessons(project / "notebooks")]
    if state["status"] != "complete" or state["parameters"] or state["notebooks"] != names:
        raise series.BatchError(
            f"{folder} is not a complete run of the whole series with its default parameters."
        )
    with tempfile.TemporaryDirectory(dir=project, prefix=".publishing-") as beside:
        prepared = Path(beside)
        _prepare(folder, project, prepared, state)
        figures = {path.name for path in (prepared / "figures").iterdir()}
        for path in sorted(path for path in prepared.rglob("*") if path.is_file()):
            with files.whole(project / path.relative_to(prepared)) as beside_target:
                path.replace(beside_target)
        for path in (project / "figures").glob("[0-9][0-9]_*.png"):
            if path.name not in figures:
                path.unlink()


def _prepare(folder: Path, project: Path, prepared: Path, state: dict[str, Any]) -> None:
    """Lay out everything that will be published; whatever can fail fails here."""
    for room in ("notebooks", "figures", "results"):
        (prepared / room).mkdir()
    for name in state["notebooks"]:
        clean = cleaned(folder / "notebooks" / name)
        _require_same_source(clean, project / "notebooks" / name)
        nbformat.write(clean, prepared / "notebooks" / name)
    for path in (folder / "figures").glob("*.png"):
        shutil.copyfile(path, prepared / "figures" / path.name)
    for ending in (".md", ".json"):
        shutil.copyfile(folder / f"results{ending}", prepared / "results" / f"published{ending}")
    files.write_json(prepared / "results" / series.SECONDS.name, state["seconds"])
    files.write_json(prepared / "results" / "kept.json", results.checksums())
    files.write_text(prepared / "results" / "constraints.txt", versions())
    table = (folder / "results.md").read_text(encoding="utf-8").strip()
    readme = (project / "README.md").read_text(encoding="utf-8")
    files.write_text(prepared / "README.md", with_table(readme, f"{table}\n\n{replicates_table()}"))


def versions() -> str:
    """What is installed, for pip: with ``-c`` it installs the same again."""
    installed = {f"{found.name}=={found.version}" for found in importlib.metadata.distributions()}
    ours = {line for line in installed if not line.lower().startswith("fmnist")}
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    head = f"# The versions that the published outputs were made with: {python}. Written by make publish."
    return "\n".join([head, *sorted(ours, key=str.lower)]) + "\n"


def cleaned(path: Path) -> nbformat.NotebookNode:
    """An executed notebook without explorers, photographs, and papermill's and Jupyter's own metadata."""
    notebook = notebook_files.read(path)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        kept = {key: value for key, value in cell.metadata.items() if key in KEPT_METADATA and value}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            tags = cell.metadata.get("tags", [])
            if "explorer" in tags:
                cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
            if "photographs" in tags:  # other people's: their description stands in the picture's place
                cell.outputs = [_described(output) for output in cell.outputs]
    return notebook


def with_table(readme: str, table: str, marks: tuple[str, str] = MARKS) -> str:
    """The README with the table between its two marks."""
    start, end = marks
    if start not in readme or end not in readme.partition(start)[2]:
        raise series.BatchError(f"README.md lacks the marks of the table: {start} and {end}")
    before, _, rest = readme.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{table.strip()}\n{end}{after}"


def replicates_table() -> str:
    """The set-ups and the champion over seeds as a Markdown table, the best on validation images first.

    A set-up with batch normalization has a second row: the same trainings, with fresh averages.
    """
    validation, tested = (results.replicates(f"{part}_accuracy") for part in ("val", "test"))
    for found, part in ((validation, "val"), (tested, "test")):
        fresh = results.replicates(f"fresh_{part}_accuracy")
        found |= {f"{name}, fresh averages": of for name, of in fresh.items() if not np.isnan(of).any()}
    calibration = results.replicates("calibration_error")
    everywhere = _ranges()
    final = results.record("champion")
    schedules = results.table("champion_schedules")
    validation["champion"] = results.over_seeds(schedules, "views_accuracy", model_name="champion", schedule=10)
    tested["champion"], calibration["champion"] = final["views_accuracy"], final["calibration_error"]
    for row in results.record("transfer_test")["setups"]:
        name = f"{BORROWED[row['setup']]}, {row['size']:,} labels"
        validation[name], tested[name] = row["val_accuracy"], row["test_accuracy"]
    rows = [
        [
            name,
            str(len(tested[name])),
            f"{np.mean(validation[name]):.2%} ± {np.std(validation[name], ddof=1):.2%}",
            f"{np.mean(tested[name]):.2%} ± {np.std(tested[name], ddof=1):.2%}",
            f"{min(tested[name]):.2%} to {max(tested[name]):.2%}",
            everywhere.get(name, "–"),
            f"{np.mean(calibration[name]):.3f}" if name in calibration else "–",
            PUBLISHED.get(name.partition(",")[0], "–"),
        ]
        for name in sorted(tested, key=lambda name: -np.mean(validation[name]))
    ]
    header = [
        "model",
        "seeds",
        "validation (mean ± sd)",
        "test (mean ± sd)",
        "range",
        "all kept trainings",
        "calibration error",
        "published",
    ]
    return formatting.markdown_table(header, rows)


def _ranges() -> dict[str, str]:
    """From where to where the test accuracy goes over all kept trainings, in both precisions, and how many."""
    kept, found = results.every_training(), {}
    for model, rows in kept.groupby("model_name"):
        for fresh, column in (("", "test_accuracy"), (", fresh averages", "fresh_test_accuracy")):
            of = rows[column].dropna()
            if len(of):
                found[f"{model}{fresh}"] = f"{of.min():.2%} to {of.max():.2%} ({len(of)})"
    return found


def _described(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An output without its picture; what ``plots.show`` says in words stays."""
    if "image/png" not in output.get("data", {}):
        return output
    return nbformat.v4.new_output("display_data", {"text/plain": output["data"]["text/plain"]})


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Consecutive pieces of one stream as one: where they were cut is a matter of timing."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _require_same_source(executed: nbformat.NotebookNode, committed: Path) -> None:
    sources = [[cell.source for cell in nb.cells] for nb in (executed, nbformat.read(committed, as_version=4))]
    if sources[0] != sources[1]:
        raise series.BatchError(
            f"{committed.name} was edited after the run. Run the series again, then publish."
        )
