"""A real JupyterLab and a real browser, to do with the mouse what a reader does."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from helpers import wait_until
from playwright.sync_api import Browser, Page, sync_playwright

from fmnist_utils.support import files, sources

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
CAMERA = "--use-fake-device-for-media-stream"  # Chromium's own, whatever hangs on the machine
SIZE = {"width": 1280, "height": 720}  # what a projector shows
PATIENCE = 120_000  # milliseconds: a busy machine starts kernels slowly


@contextmanager
def started_chromium() -> Iterator[Browser | None]:
    """The first browser of ``NAMES`` that is installed, or None."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        yield None
        return
    as_root = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, CAMERA, *as_root])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Lab:
    """A JupyterLab server that runs: the folder that it shows, and its address with a place for a path."""

    folder: Path
    address: str
    token: str

    def open(self, browser: Browser, notebook: nbformat.NotebookNode, name: str, zoom: float = 1.0) -> Page:
        """A page with this notebook, as a reader finds it who opens it from the file browser.

        ``zoom`` is the browser's own: a page of fewer, larger pixels.
        """
        nbformat.write(notebook, self.folder / name)
        smaller = {side: round(length / zoom) for side, length in SIZE.items()}
        page = browser.new_page(viewport=smaller, device_scale_factor=zoom)
        page.set_default_timeout(PATIENCE)
        page.goto(f"{self.address}lab/tree/{name}?reset&token={self.token}")
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()  # its kernel can be told to run it
        return page


def run_all(page: Page) -> None:
    """Choose "Run All Cells" from the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()


@contextmanager
def started_lab(place: Path) -> Iterator[Lab]:
    """A server whose home and notebooks are new folders in ``place``; it ends with the context."""
    home, folder, token = place / "home", place / "notebooks", secrets.token_hex(16)
    folder.mkdir()
    settings = home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    no_news = json.dumps({"fetchNews": "false", "checkForUpdates": False})  # it would ask in a window
    (settings / "notification.jupyterlab-settings").write_text(no_news)
    command = [sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={_free_port()}", f"--IdentityProvider.token={token}"]
    command += ["--allow-root"] if os.getuid() == 0 else []
    with (place / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=log)
        try:
            told = home / f".local/share/jupyter/runtime/jpserver-{server.pid}.json"
            wait_until(lambda: told.exists() or server.poll() is not None)
            assert told.exists(), (place / "log.txt").read_text()
            yield Lab(folder, json.loads(told.read_text())["url"], token)
        finally:
            _end(server)


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the user's but the data, which the set-up has put into the cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    cache = str(sources.cache_file().parents[1])
    runs = {"FMNIST_RUNS_DIR": os.environ.get("FMNIST_RUNS_DIR", str(home / "runs"))}
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": cache, "PYTHONPATH": str(files.PROJECT)} | runs


def _free_port() -> int:
    """A port that was free a moment ago; the server looks for the next one if it no longer is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end(server: subprocess.Popen) -> None:
    kernels = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    for kernel in psutil.wait_procs(kernels, timeout=20)[1]:
        kernel.kill()


class Explorer:
    """The only explorer of a page, with its controls and its picture."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.image = page.locator("img.widget-image")
        self.image.wait_for()
        self.sliders = page.locator(".widget-slider")
        self.fields = page.locator(".widget-text input[type=number]")
        self.menus = page.locator(".widget-dropdown select")
        page.locator(".widget-slider, .widget-text, .widget-dropdown").first.scroll_into_view_if_needed()

    def picture(self) -> bytes:
        """What the browser shows at this moment."""
        read = "async image => [...new Uint8Array(await (await fetch(image.src)).arrayBuffer())]"
        return bytes(self.image.evaluate(read))

    def hold(self, slider: int = 0) -> tuple[float, float, float]:
        """Press the mouse on a slider's handle: its height on the page, and where its track begins and ends."""
        track = self.sliders.nth(slider).locator(".noUi-base").bounding_box()
        handle = self.sliders.nth(slider).locator(".noUi-handle").bounding_box()
        assert track and handle
        height = handle["y"] + handle["height"] / 2
        self.page.mouse.move(handle["x"] + handle["width"] / 2, height)
        self.page.mouse.down()
        return height, track["x"], track["x"] + track["width"]

    def drag(self, share: float, slider: int = 0) -> None:
        """Drag a slider's handle to this share of its way."""
        height, left, right = self.hold(slider)
        self.page.mouse.move(left + share * (right - left), height, steps=4)
        self.page.mouse.up()

    def wait_for_another(self, before: bytes) -> bytes:
        """The next picture that differs from this one."""
        wait_until(lambda: self.picture() != before, 30)
        return self.picture()
