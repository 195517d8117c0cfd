"""Fashion-MNIST from outside: through Keras, or as Debian's package. Neither is trusted; see ``sources``."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SYSTEM_DIR = Path("/usr/share/datasets/fashion-mnist")  # where the package puts the files
PACKAGE = "dataset-fashion-mnist"
CONNECT_SECONDS = 20
DOWNLOAD_SECONDS = 600
APT_PATIENCE = ("-o", f"Acquire::http::Timeout={CONNECT_SECONDS}", "-o", "Acquire::Retries=1")


def with_keras(folder: Path) -> Path:
    """Have ``keras.datasets.fashion_mnist.load_data`` fill ``folder``; returns where the files are.

    It runs in a process of its own: Keras reads its home folder once, at import, and waits without a
    limit for a host that does not answer.
    """
    script = (
        f"import socket; socket.setdefaulttimeout({CONNECT_SECONDS}); "
        "import keras; keras.datasets.fashion_mnist.load_data()"
    )
    home = os.environ | {"KERAS_HOME": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    run([sys.executable, "-c", script], folder, home)
    return folder / "datasets" / "fashion-mnist"


def with_apt(folder: Path) -> Path:
    """Download and unpack Debian's package under ``folder``, without root; returns where the files are.

    If the package is not found, the package lists may be missing, as in a slim container: they are
    then fetched into ``folder`` too, and the system's own are left as they were.
    """
    try:
        run(["apt-get", *APT_PATIENCE, "download", PACKAGE], folder)
    except subprocess.CalledProcessError:
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        private = [
            *("-o", f"Dir::State::Lists={folder / 'lists'}"),
            *("-o", f"Dir::Cache={folder / 'cache'}"),
            *("-o", "APT::Sandbox::User=root"),  # apt's own user may not enter this folder
        ]
        # One bad list spoils its status, so that is not checked.
        run(["apt-get", *APT_PATIENCE, *private, "update"], folder, check=False)
        run(["apt-get", *APT_PATIENCE, *private, "download", PACKAGE], folder)
    (package,) = folder.glob("*.deb")
    run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder)
    return folder / "unpacked" / SYSTEM_DIR.relative_to("/")


def run(command: list[str], folder: Path, env: dict[str, str] | None = None, check: bool = True) -> None:
    """Run a command in ``folder``; raises a ``SubprocessError`` if it fails or takes too long."""
    options: Any = {"timeout": DOWNLOAD_SECONDS, "check": check, "capture_output": True}
    subprocess.run(command, cwd=folder, env=env, encoding="utf-8", errors="replace", **options)


def last_line(error: Exception) -> str:
    """The line of a failed command's stderr that says most."""
    said = getattr(error, "stderr", None) or str(error)
    lines = (said.decode(errors="replace") if isinstance(said, bytes) else said).strip().splitlines()
    errors = [line for line in lines if line.startswith("E:")]  # apt's, among its warnings
    return (errors or lines or [type(error).__name__])[-1]
