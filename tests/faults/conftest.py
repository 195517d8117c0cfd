"""Faults of file systems, from a library that stands between a process and the system."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("faults.c")


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or not Path("/proc/self/fd").exists():
        pytest.skip("no C compiler, or not Linux")
    compiled = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", compiled, SOURCE, "-ldl", "-lpthread"], check=True)
    return compiled


@pytest.fixture
def with_fault(library):
    """A function that gives the environment of a process under a fault, for the files of a folder."""

    def environment(fault: str, under: Path, **more: str) -> dict[str, str]:
        return os.environ | {"LD_PRELOAD": str(library), "FAULT": fault, "FAULT_UNDER": str(under)} | more

    return environment
