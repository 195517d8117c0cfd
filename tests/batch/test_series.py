"""Headless runs: parameters, failures, the run folder. Small notebooks are made here and really executed."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import papermill
import pytest
from helpers import running, wait_until

from fmnist_utils import __main__, parameters
from fmnist_utils.batch import publish, series, supplies
from fmnist_utils.support import files, photo_cache, sources, weights


def test_values_are_read_as_literals():
    given = series.parse([("A", "1"), ("B", "1e-3"), ("C", "two_conv"), ("D", "True"), ("E", "-1")])
    assert given == {"A": 1, "B": 0.001, "C": "two_conv", "D": True, "E": -1}


def test_notebooks_are_found_by_path_name_or_number(make_notebook):
    assert series.resolve([]) == series.lessons()
    found = [path.stem for path in series.resolve(["02", "03_batchnorm_cnn", "04_augmentation.ipynb"])]
    assert found == ["02_basic_cnn", "03_batchnorm_cnn", "04_augmentation"]
    made = make_notebook("mine", "works")
    assert series.resolve([str(made)]) == [made]
    with pytest.raises(series.BatchError, match="no notebook 98.*01_explore"):
        series.resolve(["98"])


def test_misspelt_names_and_bad_values_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(series.BatchError, match="No notebook .* parameter EPOCH. Known: .*EPOCHS"):
        series.run(series.lessons(), {"EPOCH": 1}, tmp_path / "run")
    with pytest.raises(parameters.ParameterError, match="DROPOUT = 2"):
        series.run(series.lessons(), {"DROPOUT": 2}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_each_parameter_goes_to_the_notebooks_that_define_it():
    planned = series.plan(series.lessons(), {"EPOCHS": 3, "NEIGHBOURS": 1})
    explore, basic = series.resolve(["01", "02"])
    assert planned[explore] == {"NEIGHBOURS": 1}
    assert planned[basic] == {"EPOCHS": 3}


def test_a_run_is_complete_and_shows_cells_and_epochs(make_notebook, tmp_path, capsys):
    series.run(
        [make_notebook("01_a", "works"), make_notebook("02_b", "shows")], {"EPOCHS": 7}, tmp_path / "run"
    )
    state = files.read_json(tmp_path / "run" / "run.json")
    assert state["status"] == "complete"
    assert state["parameters"] == {"EPOCHS": 7}
    assert set(state["seconds"]) == {"01_a", "02_b"}
    assert files.read_json(tmp_path / "run" / "seen.json") == 7, "the kernel wrote into this run's folder"
    out = capsys.readouterr().out
    for line in ("01_a: cell 3/3  from fmnist_utils import runs", "epoch 1", "epoch 2", "02_b: done in"):
        assert line in out
    executed = nbformat.read(tmp_path / "run" / "notebooks" / "02_b.ipynb", as_version=4)
    shown = [o.data["text/plain"] for o in executed.cells[-1].outputs]
    assert shown == ["epoch 2"], "the saved output holds the last line only"


def test_a_failing_cell_is_named_and_the_partial_notebook_kept(make_notebook, tmp_path, capsys):
    notebooks = [make_notebook("01_a", "works", "fails"), make_notebook("02_b", "works")]
    status = __main__.main(["run", *map(str, notebooks), "--jobs", "1", "--to", str(tmp_path / "run")])
    error = capsys.readouterr().err
    assert status == 1
    assert "01_a.ipynb, code cell 3: ValueError: no more wool" in error
    assert "Traceback" not in error
    state = files.read_json(tmp_path / "run" / "run.json")
    assert state["status"] == "failed"
    assert "no more wool" in state["error"]
    partial = nbformat.read(tmp_path / "run" / "notebooks" / "01_a.ipynb", as_version=4)
    assert any("1\n" in o.get("text", "") for cell in partial.cells for o in cell.get("outputs", []))
    assert set(state["seconds"]) == {"02_b"}, "the other one was executed"


def test_notebooks_run_side_by_side_and_share_the_cores(make_notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    notebooks = [make_notebook("01_a", "meets"), make_notebook("02_b", "meets")]
    folder = series.run(notebooks, {}, tmp_path / "run", jobs=2)
    for notebook in notebooks:
        executed = nbformat.read(folder / "notebooks" / notebook.name, as_version=4)
        assert executed.cells[-1].outputs[0].text == "cores: 3\n"
    assert os.environ["OMP_NUM_THREADS"] == "6"


def test_several_at_a_time_begin_with_the_longest(tmp_path):
    files.write_json(tmp_path / "seconds.json", {"01_a": 5.0, "02_b": 9.0, "03_c": 7.0})
    notebooks = [tmp_path / f"{name}.ipynb" for name in ("01_a", "02_b", "03_c", "04_new")]
    ordered = series.longest_first(notebooks, tmp_path / "seconds.json")
    assert [path.stem for path in ordered] == ["04_new", "02_b", "03_c", "01_a"]
    assert series.longest_first(notebooks, tmp_path / "missing.json") == notebooks


def test_a_failure_stops_neither_the_notebook_beside_it_nor_the_next(make_notebook, tmp_path):
    fails = make_notebook("02_b", "meets", "fails")
    notebooks = [make_notebook("01_a", "meets", "works"), fails, make_notebook("03_c", "works")]
    with pytest.raises(series.BatchError, match="1 of 3.*\n  02_b.ipynb, code cell 3: .*no more wool"):
        series.run(notebooks, {}, tmp_path / "run", jobs=2)
    state = files.read_json(tmp_path / "run" / "run.json")
    assert state["status"] == "failed"
    assert set(state["seconds"]) == {"01_a", "03_c"}


def test_no_notebook_at_a_time_is_refused(make_notebook, tmp_path, capsys):
    notebook = str(make_notebook("01_a", "works"))
    assert __main__.main(["run", notebook, "--jobs", "0", "--to", str(tmp_path / "run")]) == 2
    assert "jobs is 0" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_in_use_is_left_alone(make_notebook, tmp_path):
    notebook = make_notebook("01_a", "works")
    series.run([notebook], {}, tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(series.BatchError, match="not empty.*--to"):
        series.run([notebook], {}, tmp_path / "run")
    files.write_json(tmp_path / "claimed" / "run.json", {})
    with pytest.raises(series.BatchError, match="belongs to another run"):
        series.run([notebook], {}, tmp_path / "claimed")
    assert (tmp_path / "run" / "run.json").read_text() == before


def test_two_runs_at_once_keep_to_their_folders(make_notebook, tmp_path):
    notebook = make_notebook("01_a", "works")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "fmnist_utils", "run", str(notebook), "-p", "EPOCHS", str(i)]
            + ["--to", str(tmp_path / f"run{i}")],
            stdout=subprocess.DEVNULL,
        )
        for i in (1, 2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert [files.read_json(tmp_path / f"run{i}" / "seen.json") for i in (1, 2)] == [1, 2]


def test_a_kernel_that_dies_is_reported_in_a_sentence(make_notebook, tmp_path, capsys):
    status = __main__.main(["run", str(make_notebook("01_a", "works", "dies")), "--to", str(tmp_path / "run")])
    assert status == 1
    assert "01_a.ipynb: its kernel died" in capsys.readouterr().err
    assert (tmp_path / "run" / "notebooks" / "01_a.ipynb").exists()
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_is_marked_and_leaves_no_process(number, make_notebook, tmp_path):
    command = [sys.executable, "-m", "fmnist_utils", "run", str(make_notebook("01_a", "works", "sleeps"))]
    process = subprocess.Popen(
        [*command, "--to", str(tmp_path / "run")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until((tmp_path / "run" / "pid.json").exists)
    kernel = files.read_json(tmp_path / "run" / "pid.json")
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "marked as failed" in error
    assert "Traceback" not in error
    assert files.read_json(tmp_path / "run" / "run.json")["status"] == "failed"
    assert (tmp_path / "run" / "notebooks" / "01_a.ipynb").exists()
    wait_until(lambda: not running(kernel))


def test_notebooks_side_by_side_are_stopped_together(make_notebook, tmp_path):
    notebooks = [make_notebook(name, "meets", "sleeps") for name in ("01_a", "02_b")]
    command = [sys.executable, "-m", "fmnist_utils", "run", *map(str, notebooks), "--jobs", "2"]
    process = subprocess.Popen([*command, "--to", str(tmp_path / "run")], stdout=subprocess.DEVNULL)
    wait_until((tmp_path / "run" / "pid.json").exists)
    kernels = [int(path.name.partition("-")[2]) for path in (tmp_path / "run").glob("here-*")]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    wait_until(lambda: not any(running(kernel) for kernel in kernels))


def test_bad_values_end_with_status_2_and_name_the_parameter(capsys):
    assert __main__.main(["run", "02", "-p", "EPOCHS", "-1"]) == 2
    assert "EPOCHS = -1" in capsys.readouterr().err


@pytest.fixture
def without_weights(monkeypatch):
    def fetch():
        raise sources.DataError("There are no pre-trained weights. Tried:\n  - nothing")

    monkeypatch.setattr(supplies, "_FETCH", {"pretrained": fetch})


BORROWS = "from fmnist_utils import plots, pretrained, runs"


def test_two_lessons_need_more_than_fashion_mnist():
    needed = {path.stem: supplies.needed(path) for path in series.lessons()}
    assert {name: fetch for name, fetch in needed.items() if fetch} == {
        "09_transfer_learning": [weights.fetch],
        "10_photographs": [photo_cache.fetch, weights.fetch],
    }


def test_a_lesson_on_photographs_needs_them(write_notebook):
    notebook = write_notebook("10_a", "from fmnist_utils import photographs, plots")
    assert supplies.needed(notebook) == [photo_cache.fetch]


def test_folders_of_data_are_those_that_were_named_where_the_command_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_DATA_DIR", "data")
    monkeypatch.setenv("FMNIST_WEIGHTS_DIR", "")
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", "../photos")
    places = {"FMNIST_DATA_DIR": tmp_path / "data", "FMNIST_PHOTOS_DIR": tmp_path.parent / "photos"}
    assert series.data_folders() == {name: str(place) for name, place in places.items()}


def test_a_lesson_whose_weights_cannot_be_had_is_left_out(
    make_notebook, write_notebook, without_weights, tmp_path, capsys
):
    notebooks = [make_notebook("01_a", "works"), write_notebook("02_b", BORROWS)]
    folder = series.run(notebooks, {"EPOCHS": 2}, tmp_path / "run")
    state = files.read_json(folder / "run.json")
    assert (state["status"], state["notebooks"]) == ("complete", ["01_a.ipynb"])
    assert list(state["left_out"]) == ["02_b.ipynb"] and list(state["seconds"]) == ["01_a"]
    assert not (folder / "notebooks" / "02_b.ipynb").exists()
    for said in (capsys.readouterr().out, series.described(folder)):
        assert "02_b.ipynb was left out. There are no pre-trained weights. Tried:\n  - nothing" in said


def test_a_run_that_left_a_lesson_out_is_not_published(
    make_notebook, write_notebook, without_weights, tmp_path
):
    notebooks = [make_notebook("01_a", "works"), write_notebook("02_b", BORROWS)]
    (tmp_path / "README.md").write_text("".join(publish.MARKS))
    folder = series.run(notebooks, {}, tmp_path / "run")
    files.write_text(folder / "results.md", "| new |\n")
    files.write_json(folder / "results.json", [])
    with pytest.raises(series.BatchError, match="is not a complete run of the whole series"):
        publish.publish(folder, tmp_path)
    assert not (tmp_path / "results").exists()


def test_nothing_but_lessons_whose_weights_cannot_be_had_is_refused_with_the_reason(
    write_notebook, without_weights, tmp_path, capsys
):
    notebook = str(write_notebook("02_b", BORROWS))
    assert __main__.main(["run", notebook, "--to", str(tmp_path / "run")]) == 2
    assert "There are no pre-trained weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_bad_notebook_and_one_left_out_are_refused_together(write_notebook, without_weights, tmp_path):
    bad = write_notebook("01_a")
    bad.write_text("")
    with pytest.raises(series.RefusedError, match="01_a(.|\n)*no pre-trained weights"):
        series.run([bad, write_notebook("02_b", BORROWS)], {}, tmp_path / "run")


def test_a_lesson_whose_supplies_are_there_runs(make_notebook, tmp_path, monkeypatch):
    fetched = []
    # what a notebook that is quickly executed imports stands for what needs weights
    monkeypatch.setattr(supplies, "_FETCH", {"runs": lambda: fetched.append(1)})
    folder = series.run([make_notebook("01_a", "works")], {}, tmp_path / "run")
    state = files.read_json(folder / "run.json")
    assert fetched and (state["status"], state["notebooks"]) == ("complete", ["01_a.ipynb"])
    assert state["left_out"] == {} and series.told_left_out(state) == ""


def test_papermill_explains_every_parameter():
    for notebook in series.lessons():
        for name, described in papermill.inspect_notebook(str(notebook)).items():
            assert described["help"], f"{notebook.name}: {name}"
            assert described["inferred_type_name"] in ("int", "float", "str")


def test_the_results_table_has_a_row_a_model_best_first(tmp_path):
    common = {"parameters": 1000, "epochs": 2, "batch_size": 64, "accuracy": 0.9, "val_accuracy": 0.8}
    tested = {"test_accuracy": 0.85, "test_loss": 0.4, "test_interval": [0.84, 0.86]}
    for name, accuracy in (("worse", 0.85), ("better", 0.87)):
        folder = tmp_path / "models" / f"{name}-0123456789ab"
        files.write_json(folder / "metrics.json", common | {"name": name})
        files.write_json(folder / "scores.json", tested | {"test_accuracy": accuracy})
    files.write_json(
        tmp_path / "models" / "untested-0123456789ab" / "metrics.json", common | {"name": "untested"}
    )
    table = series.write_results(tmp_path).splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| better", "| worse"]
    assert "87.00% (84.0% to 86.0%)" in table[2]
    assert (tmp_path / "results.md").read_text().strip() == "\n".join(table)


def test_a_new_folder_has_a_name_of_its_own():
    assert series.new_folder().parent == files.PROJECT / "runs"
    assert time.strftime("%Y-%m-%d") in series.new_folder().name
