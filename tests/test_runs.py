"""The run folder: whole files, whole folders, figures and the log of test reads."""

import threading
import time

import pytest

from fmnist_utils import runs


@pytest.fixture(autouse=True)
def run_folder(own_folders):
    return own_folders / "runs"


def test_the_folder_is_the_projects_unless_the_environment_names_one(run_folder, monkeypatch):
    assert runs.runs_dir() == run_folder
    monkeypatch.delenv("FMNIST_RUNS_DIR")
    assert runs.runs_dir() == runs.PROJECT / "runs" / "interactive"


def test_text_is_written_whole_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "new" / "file.json"
    runs.write_json(path, {"a": 1})
    runs.write_json(path, {"a": 2})
    assert runs.read_json(path) == {"a": 2}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_a_folder_is_stored_whole_or_not_at_all(tmp_path):
    def broken(folder):
        (folder / "half").touch()
        raise ValueError("stopped in the middle")

    with pytest.raises(ValueError, match="stopped"):
        runs.store(tmp_path / "models" / "a", broken)
    assert list((tmp_path / "models").iterdir()) == []

    runs.store(tmp_path / "models" / "a", lambda folder: (folder / "first").touch())
    runs.store(tmp_path / "models" / "a", lambda folder: (folder / "second").touch())
    assert [p.name for p in (tmp_path / "models" / "a").iterdir()] == ["first"], "who came first stays"
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_test_reads_are_logged_one_line_each(run_folder):
    runs.log_test_read("first")
    runs.log_test_read("second")
    lines = (run_folder / "test_labels.log").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["first", "second"]


def test_finished_joins_what_training_and_testing_measured(run_folder):
    runs.write_json(run_folder / "models/a-1/metrics.json", {"name": "a", "val_accuracy": 0.5})
    runs.record(run_folder / "models/a-1", {"test_accuracy": 0.4, "test_loss": 1.5})
    runs.write_json(run_folder / "models/.half-3/metrics.json", {"name": "unfinished"})
    runs.write_json(run_folder / "models/b-2/metrics.json", {"name": "b", "val_accuracy": 0.6})
    assert runs.finished(run_folder) == [
        {
            "name": "a",
            "val_accuracy": 0.5,
            "test_accuracy": 0.4,
            "test_loss": 1.5,
        },
        {"name": "b", "val_accuracy": 0.6},
    ]


def test_a_markdown_table_aligns_its_columns():
    assert runs.markdown_table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |"


def test_who_comes_second_waits_and_finds_it_made(tmp_path):
    target, began, order = tmp_path / "models" / "net", threading.Event(), []

    def make(name: str) -> None:
        with runs.locked(target):
            began.set()
            if target.exists():
                order.append(f"{name} found it")
                return
            time.sleep(0.3)
            target.mkdir()
            order.append(f"{name} made it")

    first = threading.Thread(target=make, args=["first"])
    first.start()
    began.wait()
    make("second")
    first.join()
    assert order == ["first made it", "second found it"]
    assert [path.name for path in target.parent.iterdir()] == ["net"]


def test_a_lock_is_released_by_a_failure(tmp_path):
    with pytest.raises(ValueError, match="no more wool"), runs.locked(tmp_path / "net"):
        raise ValueError("no more wool")
    with runs.locked(tmp_path / "net"):
        pass
    assert not list(tmp_path.iterdir())
