"""Files as users, git, crashes and cloud drives leave them: said in a line, and nothing else is stopped."""

import json
import os
import shutil
from pathlib import Path

import keras
import nbformat
import pandas as pd
import pytest
from tiny_sweep import begun, states

from fmnist_utils import __main__, data, plots, runs, training
from fmnist_utils.batch import grid, series
from fmnist_utils.support import files, sources

WORK = "print('did', EPOCHS)"


def _merge(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:5], "<<<<<<< HEAD", lines[5], "=======", lines[5], ">>>>>>> theirs", *lines[6:]])


def _changed(**changes):
    return lambda text: json.dumps(json.loads(text) | changes)


def _written_in_r(text: str) -> str:
    kernel = {"name": "ir", "display_name": "R", "language": "R"}
    return _changed(metadata={"kernelspec": kernel})(text)


BAD = {
    "marks of a merge": (_merge, "merge that was not finished, from line 6 on.*git checkout"),
    "empty": (lambda _: "", "is empty"),
    "only blanks": (lambda _: "\n \n", "is empty"),
    "cut off": (lambda text: text[: len(text) // 2], "is no notebook: "),
    "no UTF-8": (lambda text: text.encode("utf-16"), "no text in UTF-8"),
    "zeros after a crash": (lambda text: bytes(len(text)), "is no notebook: "),
    "a list": (lambda _: "[1, 2]", "does not say in which format"),
    "no format": (lambda _: "{}", "does not say in which format"),
    "a format of tomorrow": (_changed(nbformat=5), "format 5, newer"),
    "cells that are none": (_changed(cells=[{"cell_type": "code"}]), "no sound notebook"),
    "no list of cells": (_changed(cells=3), "no sound notebook"),
    "another language": (_written_in_r, "written in R"),
}


def _write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_notebook_is_named_with_its_fault(fault, write_notebook):
    path = write_notebook("01_a", WORK)
    change, said = BAD[fault]
    _write(path, change(path.read_text()))
    with pytest.raises(files.UnreadableError, match=f"01_a.ipynb.*{said}"):
        grid.Notebook(path)


def test_a_parameters_cell_that_is_not_plain_python_is_named_with_its_line(write_notebook):
    path = write_notebook("01_a", WORK, parameters="EPOCHS: int = 1\n%matplotlib inline")
    with pytest.raises(files.UnreadableError, match="01_a.ipynb: its parameters cell .* from line 2 on"):
        grid.Notebook(path)


def test_a_bad_notebook_stops_no_other(write_notebook, tmp_path, capsys):
    bad, good = write_notebook("01_a", WORK), write_notebook("02_b", WORK)
    _write(bad, _merge(bad.read_text()))
    assert __main__.main(["run", str(bad), str(good), "--to", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "1 of 2 notebooks failed" in error
    assert "01_a.ipynb holds the marks of a merge" in error
    assert "Traceback" not in error
    state = files.read_json(tmp_path / "run" / "run.json")
    assert state["status"] == "failed"
    assert set(state["seconds"]) == {"02_b"}


def test_bad_notebooks_alone_and_sweeps_of_one_are_refused(write_notebook, tmp_path, capsys):
    bad = write_notebook("01_a", WORK)
    _write(bad, "")
    for command in ("run", "sweep"):
        assert __main__.main([command, str(bad), "--to", str(tmp_path / "run")]) in (1, 2)
        error = capsys.readouterr().err
        assert "01_a.ipynb is empty" in error
        assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def _in_format_3(path: Path) -> None:
    old = nbformat.convert(nbformat.read(path, as_version=4), 3)
    old.metadata.pop("kernelspec", None)
    nbformat.write(old, path, version=3)


def _with_kernel(**kernel: str):
    return lambda path: _write(path, _changed(metadata={"kernelspec": kernel})(path.read_text()))


GOOD = {
    "01_older": lambda path: _write(path, _changed(nbformat_minor=0)(_without_ids(path.read_text()))),
    "02_old": _in_format_3,
    "03_mark": lambda path: _write(path, path.read_text().encode("utf-8-sig")),
    "04_windows": lambda path: _write(path, path.read_text().replace("\n", "\r\n")),
    "05_kernel": _with_kernel(name="conda-env-other-py", display_name="Other", language="python"),
    "06_none": lambda path: _write(path, _changed(metadata={})(path.read_text())),
}


def _without_ids(text: str) -> str:
    content = json.loads(text)
    for cell in content["cells"]:
        cell.pop("id", None)
    return json.dumps(content)


def test_older_formats_and_other_kernels_names_run(write_notebook, tmp_path):
    notebooks = []
    for name, change in GOOD.items():
        path = write_notebook(name, WORK, parameters="EPOCHS: int = 1  # passes")
        change(path)
        notebooks.append(path)
    folder = series.run(notebooks, {}, tmp_path / "run", jobs=2)
    for path in notebooks:
        executed = nbformat.read(folder / "notebooks" / path.name, as_version=4)
        assert executed.cells[-1].outputs[0].text == "did 1\n", path.name


@pytest.fixture
def split(small_split, own_folders):
    return small_split


def _train(split: data.Split) -> training.Trained:
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.add(keras.layers.Softmax())
    config = training.TrainingConfig(epochs=1, batch_size=50, seed=0)
    return training.train_or_load(model, split, split, config, name="small")


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "something else": lambda path: path.write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["metrics.json", "history.json", "model.keras"])
def test_a_training_that_cannot_be_read_is_set_aside_and_done_anew(name, damage, split, capsys):
    first = _train(split)
    DAMAGES[damage](first.path / name)
    capsys.readouterr()
    again = _train(split)
    said = capsys.readouterr().out
    assert f"{first.path / name}" in said
    assert "set aside and trained anew" in said
    assert again.history == first.history
    (aside,) = (runs.runs_dir() / "aside").iterdir()
    assert aside.name.startswith(first.path.name)
    _train(split)
    assert "read back" in capsys.readouterr().out


def test_weights_of_another_network_are_not_taken_for_these(split, capsys):
    kept = _train(split)
    other = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])
    other.save(kept.path / "model.keras")
    _train(split)
    assert "trained anew" in capsys.readouterr().out


def test_results_leave_out_what_cannot_be_read_and_copies(own_folders, caplog):
    folder, good = runs.models_dir(), {"name": "good", "val_accuracy": 0.5}
    for place in ("good-0123456789ab", "good-0123456789ab (1)", "Copy of good-0123456789ab"):
        files.write_json(folder / place / "metrics.json", good)
    files.write_json(folder / "good-cccccccccccc" / "metrics.json", good)
    (folder / "good-cccccccccccc" / "scores.json").touch()
    (folder / "bad-0123456789ab").mkdir()
    (folder / "cut-0123456789ab").mkdir()
    (folder / "cut-0123456789ab" / "metrics.json").write_text('{"name": "cu')
    assert runs.finished(folder.parent) == [good]
    for said in ("ab (1) is a copy", "Copy of", "scores.json is empty", "bad-", "is no JSON"):
        assert said in caplog.text
    assert len(caplog.records) == 5


def test_a_damaged_file_of_times_changes_nothing_but_the_order(tmp_path):
    (tmp_path / "seconds.json").write_text('{"01_a": 5')
    assert series.longest_first([Path("02_b.ipynb"), Path("01_a.ipynb")], tmp_path / "seconds.json")


def test_a_sweep_counts_no_copy_and_does_anew_what_cannot_be_read(notebook, tmp_path, trace, capsys):
    arguments = ["sweep", str(notebook), "-p", "SEED", "0..4", "--jobs", "2", "--to", str(tmp_path / "sweep")]
    assert __main__.main(arguments) == 0
    folder = (tmp_path / "sweep").rename(tmp_path / "renamed")
    arguments[-1] = str(folder)
    by_seed = {state["parameters"]["SEED"]: folder / "runs" / state["key"] for state in states(folder)}
    shutil.copytree(by_seed[0], by_seed[0].with_name(f"{by_seed[0].name} (1)"))
    by_seed[1].rename(by_seed[1].with_name(f"{by_seed[1].name}-LAPTOP"))
    (by_seed[2] / "run.json").write_bytes(b"")
    next(by_seed[3].glob("models/*/model.keras")).unlink()
    (by_seed[4] / "notebook.ipynb").write_text("{")
    capsys.readouterr()
    assert __main__.main(["report", str(folder)]) == 0
    report = capsys.readouterr().out
    assert report.startswith("1 runs: 1 complete")
    assert "4 of 5 runs still to do" in report
    assert len(report.split("left out: ")) == 6
    assert __main__.main(arguments) == 0
    assert sorted(seed for _, seed in begun(trace)) == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(list((folder / "aside").iterdir())) == 3
    table = pd.read_csv(folder / "results.csv")
    assert sorted(table["SEED"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_a_look_at_a_run_with_a_damaged_state_ends_with_a_sentence(content, tmp_path, capsys):
    (tmp_path / "run.json").write_text(content)
    for command in ("report", "publish"):
        assert __main__.main([command, str(tmp_path)]) == 1
        error = capsys.readouterr().err
        assert "run.json" in error or "not a complete run" in error
        assert "Traceback" not in error


def test_names_do_not_collide_where_cases_are_one(write_notebook, tmp_path):
    parameters = "SEED: int = 0  # of it\nRate: int = 1  # one\nrate: int = 1  # other\nRanking: int = 1  # too"
    work = """from fmnist_utils import runs
from fmnist_utils.support import files
files.write_json(runs.models_dir() / "tiny-0123456789ab" / "metrics.json", {
    "name": "tiny", "parameters": 7, "precision": "float32", "accuracy": 1.0, "loss": 0.1, "seconds": 0.1,
    "val_accuracy": Rate / 10, "val_loss": 0.2})"""
    notebook, folder = write_notebook("cases", work, parameters=parameters), tmp_path / "sweep"
    pairs = [part for name in ("Rate", "rate", "Ranking") for part in ("-p", name, "1,2")]
    assert __main__.main(["sweep", str(notebook), *pairs, "--jobs", "2", "--to", str(folder)]) == 0
    pictures = {path.name.lower() for path in (folder / "figures").iterdir()}
    assert len(pictures) == len(list((folder / "figures").iterdir())) == 4
    columns = [name.lower() for name in pd.read_csv(folder / "results.csv").columns]
    assert len(columns) == len(set(columns))


def test_no_two_files_of_the_project_differ_by_case_only():
    names = [str(path.relative_to(files.PROJECT)) for path in files.PROJECT.glob("[!.]*/**/*.*")]
    tracked = [name for name in names if not name.startswith(("runs", "site"))]
    assert len(tracked) == len({name.lower() for name in tracked})


def _record_flushes(monkeypatch) -> list[tuple[str, str]]:
    """What is flushed and what is renamed from now on, in their order."""
    done, fsync, rename, replace = [], os.fsync, os.rename, os.replace

    def noted(real, kind):
        def call(source, *rest, **options):
            done.append((kind, os.path.realpath(source)))
            return real(source, *rest, **options)

        return call

    def flush(descriptor):
        done.append(("flushed", os.readlink(f"/proc/self/fd/{descriptor}")))
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", noted(rename, "renamed"))
    monkeypatch.setattr(os, "replace", noted(replace, "renamed"))
    return done


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says which file is flushed")
def test_what_is_renamed_into_its_place_was_flushed_before(tmp_path, monkeypatch, tiny):
    done = _record_flushes(monkeypatch)
    files.write_json(tmp_path / "a.json", {})
    files.store(tmp_path / "b", lambda beside: (beside / "content").write_text("whole"))
    sources.write_cache(tiny)
    plots.save(plots.images(tiny["train_images"][:2]), tmp_path / "picture.png")
    renamed = [path for kind, path in done if kind == "renamed"]
    assert len(renamed) == 4
    for path in renamed:
        at = done.index(("renamed", path))
        assert ("flushed", path) in done[:at], path
        assert done[at + 1] == ("flushed", os.path.dirname(path)), "and then the folder's list of names"
    assert any(path.endswith("content") for kind, path in done if kind == "flushed")


INSIDE = {
    "metrics.json": ['{"name": 3}', "{}", "null"],
    "history.json": ["{}", '{"loss": "x"}', '{"loss": [1.0], "accuracy": 3}'],
}


@pytest.mark.parametrize(("name", "content"), [(name, one) for name in INSIDE for one in INSIDE[name]])
def test_sound_json_of_another_content_is_no_training(name, content, split, capsys):
    kept = _train(split)
    (kept.path / name).write_text(content)
    capsys.readouterr()
    _train(split)
    assert f"{name} " in capsys.readouterr().out.partition("set aside and trained anew")[2]


def test_a_folder_in_a_files_place_is_no_training(split, capsys):
    kept = _train(split)
    (kept.path / "metrics.json").unlink()
    (kept.path / "metrics.json").mkdir()
    _train(split)
    assert "metrics.json cannot be read (Is a directory)" in capsys.readouterr().out


ODD_CELLS = {"an odd key": "X = {[]: 1}", "a zero byte": "X = 1\0", "too deep": f"X = {'-' * 9000}1"}


@pytest.mark.parametrize("cell", ODD_CELLS)
def test_an_odd_parameters_cell_stops_no_other(cell, write_notebook, tmp_path):
    odd, good = write_notebook("01_a", WORK, parameters=ODD_CELLS[cell]), write_notebook("02_b", WORK)
    with pytest.raises(series.BatchError, match="1 of 2.*\n.*01_a.ipynb"):
        series.run([odd, good], {}, tmp_path / "run")
    assert set(files.read_json(tmp_path / "run" / "run.json")["seconds"]) == {"02_b"}


def test_folders_links_and_half_characters_in_a_notebooks_place_stop_no_other(write_notebook, tmp_path, capsys):
    good, folder = write_notebook("02_b", WORK), tmp_path / "notebooks"
    (folder / "01_folder.ipynb").mkdir()
    (folder / "01_link.ipynb").symlink_to(folder / "nothing.ipynb")
    (folder / "01_deep.ipynb").write_text("[" * 100_000)
    (folder / "01_half.ipynb").write_text(good.read_text().replace("did", "\\ud800"))
    arguments = ["run", *map(str, sorted(folder.glob("*.ipynb"))), "--to", str(tmp_path / "run")]
    assert __main__.main(arguments) == 1
    error = capsys.readouterr().err
    assert "4 of 5 notebooks failed" in error
    for name in ("01_folder", "01_link", "01_deep", "01_half"):
        assert f"{name}.ipynb " in error
    assert "Traceback" not in error


STATES = [
    *("status: 3", "parameters: [1]", 'seconds: "x"', "models: [1]", "environment: [1]", "files: null"),
    'models: [{"name": "m", "val_accuracy": "x"}]',
]


def test_what_cloud_drives_and_others_leave_in_a_sweep_stops_nothing(notebook, tmp_path, capsys):
    folder = tmp_path / "sweep"
    arguments = ["sweep", str(notebook), "-p", "SEED", "0..7", "--jobs", "2", "--to", str(folder)]
    assert __main__.main(arguments) == 0
    for path, change in zip(sorted(folder.glob("runs/*")), STATES, strict=False):
        name, _, value = change.partition(": ")
        content = files.read_json(path / "run.json") | {name: json.loads(value)}
        (path / "run.json").write_text(json.dumps(content))
    (folder / "runs" / "desktop.ini").touch()
    for content in ("{}", '{"status": "complete", "runs": 3}', '{"status": "complete", "runs": [[1]]}'):
        (folder / "sweep.json").write_text(content)
        capsys.readouterr()
        assert __main__.main(["report", str(folder)]) == 0
        assert capsys.readouterr().out.startswith("1 runs: 1 complete")
    assert __main__.main(arguments) == 0
    assert len(pd.read_csv(folder / "results.csv")) == 8


METRICS = ['{"name": "m"}', '{"name": "m", "val_accuracy": "x"}', '{"name": "m", "test_accuracy": 0.5}']


def test_odd_figures_of_one_training_leave_the_others_table(own_folders):
    common = {"parameters": 1000, "epochs": 2, "batch_size": 64, "accuracy": 0.9, "val_accuracy": 0.8}
    for digit, content in enumerate(METRICS):
        files.write_json(runs.models_dir() / f"m-{digit:012}" / "metrics.json", json.loads(content))
    files.write_json(runs.models_dir() / "good-0123456789ab" / "metrics.json", common | {"name": "good"})
    (runs.models_dir() / "desktop.ini").touch()
    assert [line[:7] for line in series.write_results(runs.runs_dir()).splitlines()[2:]] == ["| good "]


def test_a_report_is_shown_where_it_cannot_be_kept(notebook, tmp_path, capsys):
    folder = tmp_path / "sweep"
    assert __main__.main(["sweep", str(notebook), "-p", "SEED", "1", "--jobs", "1", "--to", str(folder)]) == 0
    (folder / "report.md").unlink()
    (folder / "report.md").mkdir()
    capsys.readouterr()
    assert __main__.main(["report", str(folder)]) == 0
    assert "This could not be kept: [Errno" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["nothing", "file.txt"])
def test_a_folder_that_is_none_is_said(given, notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file.txt").touch()
    assert __main__.main(["report", given]) == 2
    assert f"There is no folder {given}" in capsys.readouterr().err
    assert __main__.main(["run", str(notebook), "--to", "file.txt"]) == 2
    assert "is a file. Name another folder" in capsys.readouterr().err
