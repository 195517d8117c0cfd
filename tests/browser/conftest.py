"""A browser and a JupyterLab for all tests of this folder; where there is no browser, they are skipped."""

from collections.abc import Iterator

import pytest
from browsing import NAMES, Lab, started_chromium, started_lab
from playwright.sync_api import Browser


@pytest.fixture(scope="module")  # while it is there, a loop of asyncio runs, which other tests do not expect
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    with started_chromium() as browser:
        if browser is None:
            pytest.skip(f"no browser here: none of {', '.join(NAMES)} is installed")
        yield browser


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory) -> Iterator[Lab]:
    """The project's JupyterLab on a free port, with a home and a workspace that nobody has used."""
    with started_lab(tmp_path_factory.mktemp("jupyterlab")) as lab:
        yield lab
