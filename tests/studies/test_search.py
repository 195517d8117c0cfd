"""What lesson 8's search keeps: whole tables, of what its present code has trained."""

import shutil
from dataclasses import asdict

import pytest

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.champion import ideas, search


@pytest.fixture
def planned(tmp_path, monkeypatch) -> list[jobs.Job]:
    """A search of three trainings in a copy of this project, with tables of its own."""
    shutil.copytree(
        files.PROJECT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(ideas, "SCHEDULES", {"champion": (ideas.WINNER, {2: 7})})
    return search.schedules()


def pretend(trained: list[jobs.Job]) -> None:
    """Leave behind what trainings of these jobs would."""
    for job in trained:
        folder = job.folder
        files.write_json(folder / "result.json", {figure: job.seed for figure in search.FIGURES})
        told = asdict(job) | {"key": folder.name.removeprefix(f"{job.seed}-")}
        files.write_json(folder / "job.json", told)


def test_a_row_tells_of_a_training_and_by_which_key_it_is_kept(planned):
    pretend(planned[::-1])
    table = search.table(planned)
    assert table[["schedule", "name", "SEED", "epochs", "seconds", "key"]].to_numpy().tolist() == [
        [2, "champion", job.seed, 7, job.seed, job.key] for job in planned
    ]


def test_what_other_code_has_trained_is_not_in_the_table(planned):
    pretend(planned)
    with (files.PROJECT / "studies" / "champion" / "networks.py").open("a") as file:
        file.write("CHANGED = True\n")
    assert len(search.table(planned)) == 0
    pretend(planned[:1])
    assert search.table(planned)["SEED"].tolist() == [planned[0].seed]


def test_a_new_idea_leaves_what_is_trained_as_it_is(planned):
    key = planned[0].key
    with (files.PROJECT / "studies" / "champion" / "ideas.py").open("a") as file:
        file.write("IDEAS['images']['another'] = Idea('why not?', {'flip': 'none'})\n")
    assert planned[0].key == key


def test_a_table_is_kept_when_it_is_whole(planned, capsys):
    pretend(planned[:2])
    search.keep("champion_schedules", planned, search.table(planned))
    assert "2 of 3 trainings are done" in capsys.readouterr().out
    assert not results.FOLDER.exists()
    pretend(planned[2:])
    search.keep("champion_schedules", planned, search.table(planned))
    assert results.table("champion_schedules")["key"].tolist() == [job.key for job in planned]


def test_each_idea_is_trained_as_often_as_the_lesson_says():
    everything = [job for command in search.COMPARISONS for job in search.comparison(command)]
    assert len({(job.group, job.name, job.seed) for job in everything}) == len(everything)
    assert {job.name for job in everything} == set(ideas.THEMES)
