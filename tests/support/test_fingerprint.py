"""Keys of notebook runs: code, parameters, data count, wording not; which code counts follows from folders."""

import shutil
from pathlib import Path

import pytest

from fmnist_utils.support import fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of this package's sources that a test may change."""
    copy = tmp_path / "fmnist_utils"
    shutil.copytree(fingerprint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "champion.*"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    return copy


@pytest.mark.parametrize(
    ("file", "retrains", "runs_again"),
    [
        ("batch/sweep.py", False, False),
        ("__main__.py", False, False),
        ("support/progress.py", False, True),
        ("plots.py", False, True),
        ("models.py", False, True),
        ("augmentation.py", False, True),  # trainings that are given one of its objects know its code
        ("training.py", True, True),
        ("data.py", True, True),
        *((f"fast/{name}.py", True, True) for name in ("layers", "towers", "infobatch", "muon")),
    ],
)
def test_what_a_changed_file_does_again_follows_from_its_folder(file, retrains, runs_again, package):
    before = fingerprint.training(), fingerprint.package_now()
    with (package / file).open("a", encoding="utf-8") as source:
        source.write("\n# a comment\n")
    assert (fingerprint.training(), fingerprint.package_now()) == before
    with (package / file).open("a", encoding="utf-8") as source:
        source.write("\nCHANGED = True\n")
    assert (fingerprint.training() != before[0], fingerprint.package_now() != before[1]) == (
        retrains,
        runs_again,
    )


def test_a_new_file_in_fast_counts_and_one_in_batch_does_not(package):
    before = fingerprint.training(), fingerprint.package_now()
    (package / "batch" / "new.py").write_text("x = 1\n")
    assert (fingerprint.training(), fingerprint.package_now()) == before
    (package / "fast" / "new.py").write_text("x = 1\n")
    assert fingerprint.training() != before[0] and fingerprint.package_now() != before[1]


def test_the_key_changes_with_code_parameters_and_package_only(notebook, monkeypatch):
    cells, parameters = ["a = 1"], {"SEED": 0, "EPOCHS": 1}
    key = fingerprint.run(cells, parameters)
    assert fingerprint.run(cells, {"EPOCHS": 1, "SEED": 0}) == key
    assert fingerprint.run(["a = 2"], parameters) != key
    assert fingerprint.run(cells, parameters | {"SEED": 1}) != key
    monkeypatch.setattr(fingerprint, "package", lambda: "another")
    assert fingerprint.run(cells, parameters) != key


def test_code_is_a_modules_text_without_what_only_a_reader_sees(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""A."""\n\nx = "# no comment"  # one\n\n\ndef f():\n    """Two\n    lines."""\n    # more\n'
    )
    assert fingerprint.code(path) == 'x = "# no comment"\ndef f():'
