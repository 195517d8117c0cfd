"""Sweeps on a real Dask cluster on this machine: grid, table, resuming, report."""

import os
import re

import nbformat
import pandas as pd
import pytest
from tiny_sweep import WORK, begun, left_behind, states

from fmnist_utils import __main__
from fmnist_utils.batch import cluster, grid, report, series, sweep
from fmnist_utils.support import files


def test_a_sweep_runs_the_grid_and_its_table_has_every_run(notebook, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    folder = tmp_path / "sweep"
    options = ["-p", "SEED", "0..2", "-p", "RATE", "0.1,0.2", "--to", str(folder), "--jobs", "2"]
    assert __main__.main(["sweep", str(notebook), *options]) == 0
    out = capsys.readouterr().out
    assert "6 runs: 0 done, 0 failed, 2 running" in out
    assert "6 runs: 6 done, 0 failed, 0 running" in out
    assert re.search(r"\| tiny \| 0\.2 \| 0\.2010 ± 0\.0010 \| 0\.2000 to 0\.2020 \| 3 \|", out), out
    table = pd.read_csv(folder / "results.csv")
    assert len(table) == 6
    assert set(table["status"]) == {"complete"}
    assert sorted(table[table["RATE"] == 0.2]["val_accuracy"]) == [0.2, 0.201, 0.202]
    assert (table["cores"] == 3).all()
    assert os.environ["OMP_NUM_THREADS"] == "6"
    assert table["PRECISION"].tolist() == ["auto"] * 6
    assert table["dtype_policy"].tolist() == ["float32"] * 6
    for row in table.itertuples():
        executed = nbformat.read(folder / row.executed, as_version=4)
        assert f"cores {row.cores} memory" in executed.cells[-2].outputs[0].text
        assert int(executed.cells[-2].outputs[0].text.split()[-1]) > 100
        assert (
            folder / "runs" / row.run / "models" / "tiny-0123456789ab" / "model.keras"
        ).read_bytes() == b"weights"
    assert files.read_json(folder / "sweep.json")["status"] == "complete"
    assert {path.name for path in (folder / "figures").iterdir()} == {"ranking.png", "RATE.png"}
    assert left_behind(folder) == []


def test_a_failing_run_is_kept_and_stops_no_other_and_is_tried_again(notebook, tmp_path, capsys, trace):
    folder = tmp_path / "sweep"
    options = ["-p", "SEED", "0..2", "-p", "FAIL", "1", "--to", str(folder), "--jobs", "1"]
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    shown = capsys.readouterr()
    assert "code cell 4: ValueError: no more wool" in shown.out
    assert "1 of 3 runs failed" in shown.err
    assert sorted(state["status"] for state in states(folder)) == ["complete", "complete", "failed"]
    failed = next(state for state in states(folder) if state["status"] == "failed")
    partial = nbformat.read(folder / "runs" / failed["key"] / "notebook.ipynb", as_version=4)
    assert "cores" in next(cell for cell in partial.cells if cell.source == WORK).outputs[0].text
    table = pd.read_csv(folder / "results.csv")
    assert table[table["status"] == "failed"]["error"].str.contains("no more wool").all()
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    assert sorted(seed for _, seed in begun(trace)) == [0, 1, 1, 2], "complete runs are not repeated"
    assert len(states(folder)) == 3


def test_a_finished_sweep_starts_nothing(notebook, tmp_path, capsys, monkeypatch):
    options = ["-p", "SEED", "0..1", "--to", str(tmp_path / "sweep"), "--jobs", "1"]
    assert __main__.main(["sweep", str(notebook), *options]) == 0
    monkeypatch.setattr(cluster, "client", None)
    content = nbformat.read(notebook, as_version=4)
    content.cells.append(nbformat.v4.new_markdown_cell("Prose."))
    content.cells[1].outputs = [nbformat.v4.new_output("stream", text="an output")]
    nbformat.write(content, notebook)
    table = (tmp_path / "sweep" / "results.csv").read_text()
    (tmp_path / "sweep" / "results.csv").unlink()  # as if it had been killed after the last run
    assert __main__.main(["sweep", str(notebook), *options]) == 0
    assert "All 2 runs are complete already" in capsys.readouterr().out
    assert (tmp_path / "sweep" / "results.csv").read_text() == table


def test_bad_grids_are_refused_before_anything_starts(notebook, tmp_path, capsys):
    folder = tmp_path / "sweep"
    for option in (
        ["-p", "SEDE", "0..1"],
        ["-p", "RATE", "fast"],
        ["-p", "SEED", "1..0"],
        ["--jobs", "0"],
        ["--jobs", "0", "--dry-run"],
        ["--grid", "missing.yaml"],
        ["-p", "SEED", "1", "-p", "SEED", "2"],
    ):
        assert __main__.main(["sweep", str(notebook), *option, "--to", str(folder)]) == 2
    assert "tiny has no parameter SEDE (it has SEED, RATE, SLEEP, FAIL," in capsys.readouterr().err
    assert not folder.exists()


def test_a_dry_run_lists_runs_and_writes_nothing(tmp_path, capsys):
    options = ["-p", "EPOCHS", "1,15", "-p", "SEED", "0..1", "--jobs", "2", "--to", str(tmp_path / "sweep")]
    assert __main__.main(["sweep", "02", *options, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "to do     SEED 1, EPOCHS 1" in out
    assert "4 runs of 02_basic_cnn" in out
    measured = files.read_json(series.SECONDS)["02_basic_cnn"]
    expected = sweep.STARTUP * 2 + (measured - sweep.STARTUP) * (1 + 1 / 15)
    minutes = int(re.search(r"2 at a time: roughly (\d+) min", out)[1])
    assert minutes == int(round(expected) // 60)
    assert __main__.main(["sweep", "one_training", "--dry-run", "--to", str(tmp_path / "sweep")]) == 0
    assert "no run of it has been timed yet" in capsys.readouterr().out
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_named(address, notebook, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    options = ["--scheduler", address, "--to", str(tmp_path / "sweep")]
    assert __main__.main(["sweep", str(notebook), *options]) == 1
    assert f"No Dask scheduler answers at {address}" in capsys.readouterr().err


def test_a_reports_ranking_averages_over_seeds(tmp_path):
    def state(seed, rate, score):
        model = {"name": "m", "loss": 0.5, "parameters": 1, "val_accuracy": score, "seconds": 1.0}
        common = {
            "notebook": "n",
            "program": "new",
            "status": "complete",
            "seconds": 2.0,
            "started": "later",
            "models": [model],
        }
        return common | {"key": f"n-{seed}-{rate}", "parameters": {"SEED": seed, "RATE": rate, "SAME": 1}}

    for seed, rate, score in [(0, 1, 0.5), (1, 1, 0.7), (0, 2, 0.8), (1, 2, 0.9)]:
        one = state(seed, rate, score)
        files.write_json(tmp_path / "runs" / one["key"] / "run.json", one)
    old = state(7, 2, 0.1) | {"program": "old", "started": "before", "key": "n-old"}
    files.write_json(tmp_path / "runs" / "n-old" / "run.json", old)
    failed = state(8, 2, 0.1) | {"status": "failed", "error": "no wool", "models": []}
    files.write_json(tmp_path / "runs" / "n-8-2" / "run.json", failed)
    found = report.write_table(tmp_path)
    assert len(found) == 6
    assert report.varied(found) == ["RATE"]
    assert "6 runs: 5 complete, 1 failed" in report.write(tmp_path)
    assert "1 of code that was changed since" in report.write(tmp_path)
    ranked = report.ranking(found)
    assert ranked["RATE"].tolist() == [2, 1]
    assert ranked["mean"].round(6).tolist() == [0.85, 0.6]
    assert ranked["sd"].round(6).tolist() == [0.070711, 0.141421]
    assert ranked["runs"].tolist() == [2, 2]


def test_a_report_on_a_folder_without_runs_says_so(tmp_path, capsys):
    assert __main__.main(["report", str(tmp_path)]) == 2
    assert "holds no runs of a sweep" in capsys.readouterr().err


def test_resuming_compares_parameters_with_their_defaults(notebook, tmp_path):
    loaded = grid.Notebook(notebook)
    named = sweep.open_folder(loaded, [{"SEED": 0, "RATE": 0.5}], tmp_path)
    unnamed = sweep.open_folder(loaded, [{}], tmp_path)
    assert list(named.planned) == list(unnamed.planned)
