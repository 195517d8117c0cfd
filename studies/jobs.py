"""Trainings in processes of their own, kept until something that decides them changes.

A job is kept in ``runs/STORE/GROUP/NAME/SEED-KEY``. Its key knows the settings, the seed, the data, the
libraries and the code that takes part: with a changed line it is trained anew, into another folder. The folder
appears when the training has ended well. One that failed or was killed leaves nothing that counts, only a log.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmnist_utils.support import files, fingerprint, sources

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        module: what trains it. ``python -m MODULE FOLDER/job.json`` finds these attributes in that file, and
            writes what is to be kept beside it.
        store, group, name: where it is kept under ``runs/``.
        seed: of the training.
        settings: a frozen dataclass whose fields JSON holds: all else that decides the training.
        environment: variables of its process, beside those of this one; they decide too.
    """

    module: str
    store: str
    group: str
    name: str
    seed: int
    settings: Any
    environment: Mapping[str, str]

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits for all that decides the outcome; the code as its files are now."""
        data = [file.sha256 for file in sources.FILES.values()]
        surroundings = [self.environment, data, version("keras"), version("tensorflow"), code(self.module)]
        return fingerprint.hashed([asdict(self.settings), self.seed, *surroundings])

    @property
    def folder(self) -> Path:
        """Where it is kept, once it is done."""
        return files.PROJECT / "runs" / self.store / self.group / self.name / f"{self.seed}-{self.key}"

    def train(self) -> Path:
        """Its folder; it is trained now, unless that is done."""
        folder = self.folder
        log = folder.with_name(f"{folder.name}.log")

        def fill(beside: Path) -> None:
            files.write_json(beside / "job.json", asdict(self) | {"key": folder.name.partition("-")[2]})
            command = [sys.executable, "-m", self.module, beside / "job.json"]
            environment = os.environ | self.environment
            with log.open("wb") as out:
                done = subprocess.run(command, cwd=files.PROJECT, env=environment, stdout=out, stderr=out)
            if done.returncode:
                raise RuntimeError(f"{self.group}, {self.name}, seed {self.seed} failed: {log} says why")
            print(f"{self.group}, {self.name}, seed {self.seed}: done", flush=True)

        return folder if folder.is_dir() else files.store(folder, fill)


def run(jobs: Iterable[Job], at_once: int = 1) -> list[Path]:
    """Train what is not done, so many at a time; the folders, in the order of the jobs.

    Raises:
        RuntimeError: a training failed, and those that waited are given up.
    """
    with ThreadPoolExecutor(at_once) as side_by_side:
        return list(side_by_side.map(Job.train, jobs))


def finished(jobs: Iterable[Job]) -> list[Path]:
    """The folders of the jobs that are done, in their order."""
    return [folder for folder in (job.folder for job in jobs) if folder.is_dir()]


def code(module: str) -> list[tuple[str, str]]:
    """What takes part in a training: a module of ``studies`` and all that it imports, but for ``support``.

    Returns:
        Each module of ``studies`` and of ``fmnist_utils`` with its ``fingerprint.code``.
    """
    own, left = set(), {_file(module)}
    while left:
        path = left.pop()
        own.add(path)
        left |= _imported(path) - own
    package = set().union(*map(fingerprint.with_imports, own)) - own
    own_code = [(path.relative_to(files.PROJECT).as_posix(), fingerprint.code(path)) for path in sorted(own)]
    return own_code + fingerprint.codes(package)


def _imported(path: Path) -> set[Path]:
    """The modules of ``studies`` that a file imports from."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "studies":
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {file for file in map(_file, names) if file.is_file()}


def _file(module: str) -> Path:
    return files.PROJECT.joinpath(*module.split(".")).with_suffix(".py")
