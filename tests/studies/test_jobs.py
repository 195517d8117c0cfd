"""Trainings in processes of their own: what is done counts as long as settings and code are those of now."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fmnist_utils.support import files
from studies import jobs

# What stands for a study: it trains nothing, and writes down who it was and what it was told.
TRAINING = """
import json, os, sys
from pathlib import Path
from studies import network

job = Path(sys.argv[1])
told = json.loads(job.read_text())
if (job.parents[1] / "fatal").exists():
    job.with_name("result.json").write_text("half of it")
    os.kill(os.getpid(), 9)
result = {"process": os.getpid(), "score": network.width() * told["settings"]["epochs"] + told["seed"]}
job.with_name("result.json").write_text(json.dumps(result | {"threads": os.environ.get("OMP_NUM_THREADS")}))
"""
NETWORK = """
def width():
    return 100
"""


@dataclass(frozen=True)
class Settings:
    epochs: int


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A project with a study of two modules; its folder of modules."""
    folder = tmp_path / "studies"
    folder.mkdir()
    for name, text in {"__init__": "", "training": TRAINING, "network": NETWORK, "other": "x = 1\n"}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    return folder


def job(seed: int = 0, epochs: int = 1, threads: str = "2") -> jobs.Job:
    environment = {"OMP_NUM_THREADS": threads}
    return jobs.Job("studies.training", "store", "a group", "a name", seed, Settings(epochs), environment)


def result(*planned: jobs.Job) -> list[dict]:
    """What each job gives, trained or kept."""
    return [files.read_json(folder / "result.json") for folder in jobs.run(planned)]


def test_a_job_runs_in_a_process_of_its_own_with_its_environment_and_is_not_repeated(study):
    (first,) = result(job())
    assert first["process"] != os.getpid()
    assert (first["score"], first["threads"]) == (100, "2")
    assert result(job()) == [first]


def test_a_folder_says_what_was_asked_for(study):
    one = job(seed=3)
    (folder,) = jobs.run([one])
    assert folder == one.folder and folder.is_relative_to(
        study.parent / "runs" / "store" / "a group" / "a name"
    )
    told = files.read_json(folder / "job.json")
    assert (told["seed"], told["settings"], told["key"]) == (3, {"epochs": 1}, one.key)


@pytest.mark.parametrize("other", [job(epochs=2), job(seed=1), job(threads="1")])
def test_another_set_up_is_another_training(other, study):
    assert result(job())[0]["process"] != result(other)[0]["process"]
    assert len(jobs.finished([job(), other])) == 2


@pytest.mark.parametrize("module", ["training", "network"])
def test_a_changed_line_of_the_code_trains_anew_and_a_comment_does_not(module, study):
    (first,) = result(job())
    file = study / f"{module}.py"
    file.write_text(f"# a comment\n{file.read_text()}")
    assert result(job()) == [first]
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    assert jobs.finished([job()]) == []
    assert result(job())[0]["process"] != first["process"]


def test_what_a_training_does_not_import_does_not_count(study):
    before = job().key
    (study / "other.py").write_text("x = 2\n")
    assert job().key == before


def test_the_package_counts_as_far_as_it_is_imported(study):
    (study / "network.py").write_text("from fmnist_utils import models\n")
    names = {name for name, _ in jobs.code("studies.training")}
    assert {"studies/network.py", "studies/training.py", "models.py", "fast/layers.py"} <= names
    assert not {"studies/other.py", "plots.py", "support/files.py"} & names


def test_a_killed_job_is_not_done_and_runs_again(study, tmp_path):
    fatal = tmp_path / "runs" / "store" / "a group" / "a name" / "fatal"
    files.write_text(fatal, "")
    with pytest.raises(RuntimeError, match=r"a group, a name, seed 0 failed: .*\.log says why"):
        jobs.run([job(), job(seed=1)])
    assert jobs.finished([job(), job(seed=1)]) == [] and not list(fatal.parent.rglob("result.json"))
    fatal.unlink()
    assert result(job())[0]["score"] == 100


def test_results_come_in_the_order_of_the_jobs(study):
    planned = [job(seed) for seed in (2, 0, 1)]
    jobs.run(planned[1:], at_once=2)
    assert jobs.finished(planned) == [one.folder for one in planned[1:]]
    assert [one["score"] for one in result(*planned)] == [102, 100, 101]
