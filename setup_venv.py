"""Make ``.venv`` for the Python that runs this, or leave it as it is if it is right: ``python setup_venv.py``.

``make`` calls this before each target. A folder that was moved or copied, a Python that was replaced and a
set-up that was stopped leave a ``.venv`` that looks well and is not, so it holds a record of what it was made
for. It is made anew if that is no longer so; if only the requirements have changed, they are installed again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)  # as in pyproject.toml
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
RECORD = VENV / "made_for.json"

# Where packages come from and how the network is reached: all that pip's settings may decide here.
KEPT = (
    *("index-url", "extra-index-url", "find-links", "no-index", "cache-dir", "no-cache-dir"),
    *("trusted-host", "proxy", "cert", "client-cert", "timeout", "default-timeout", "retries"),
    "keyring-provider",
)


def main() -> None:
    """Bring ``.venv`` into order; ends with status 1 and a sentence where that cannot be done."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            f"Python 3.11 to 3.13 is needed, this is {sys.version_info[0]}.{sys.version_info[1]} "
            f"({sys.executable}). Name one: make setup PYTHON=python3.12"
        )
    wanted = description()
    if recorded() == wanted and usable():
        return
    _lock = one_at_a_time()  # held until this process ends
    found = recorded()
    reason = why_anew(found, wanted)
    if reason:
        say(f"{reason} Making it and installing requirements.txt into it: about a minute.")
        make()
        show_project()
        install(wanted)
    elif found != wanted:  # else another set-up has done it meanwhile
        say("requirements.txt has changed: installing what it asks for into .venv.")
        install(wanted, before=found)


def description() -> dict[str, str]:
    """What a ``.venv`` that is made now is made for."""
    return {
        # The same text in every locale: a path is bytes, and a locale decides how Python reads them.
        "place": os.fsencode(ROOT).decode("utf-8", "surrogateescape"),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "system": f"{platform.system()} {platform.machine()}",
        "requirements": hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest(),
    }


def recorded() -> dict[str, str] | None:
    """What ``.venv`` was made for; None unless a set-up came to its end there."""
    try:
        content = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def usable() -> bool:
    """Whether the Python of ``.venv`` starts and finds its packages, pip among them."""
    try:
        return not subprocess.run([PYTHON, "-I", "-c", "import pip"], stderr=subprocess.DEVNULL).returncode
    except OSError:
        return False


def why_anew(found: dict[str, str] | None, wanted: dict[str, str]) -> str:
    """Why ``.venv`` has to be made anew, as a sentence; empty if it can stay."""
    if not os.path.lexists(VENV):
        return "There is no .venv yet."
    if not VENV.is_dir():
        return ".venv is not a folder."
    if found is None:
        return "The set-up of .venv did not come to its end, or was not this one."
    for key, told in (("place", "in the folder"), ("python", "with Python"), ("system", "on")):
        if found.get(key) != wanted[key]:
            return f".venv was made {told} {found.get(key)}, and this is {wanted[key]}."
    return "" if usable() else "The Python of .venv does not start, or has no pip."


def one_at_a_time():
    """This file, locked until it is closed, so that two set-ups do not delete each other's work.

    The commands that are started here hold the lock, too: pip may outlive a set-up that is killed.
    """
    try:
        import fcntl

        lock = open(__file__, "r+b")  # noqa: SIM115 (some network disks lock only what is open for writing)
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder: waiting for its end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except (ImportError, OSError):  # Windows, or a disk without locks
        return None
    return lock


def make() -> None:
    """An empty ``.venv`` with pip, in place of what is there."""
    if os.path.lexists(VENV) and not VENV.is_dir():
        VENV.unlink()
    failed = (
        f"Python {platform.python_version()} ({sys.executable}) could not make .venv: its message is above. "
        "Mend that, or name another Python: make setup PYTHON=python3.12"
    )
    folder = VENV.resolve()  # venv refuses a link, and it may be one to a larger disk
    run(sys.executable, "-m", "venv", "--clear", folder, environment=bare_environment(), failed=failed)


def show_project() -> None:
    """Let the Python of ``.venv`` import the package from this folder, as ``pip install -e .`` would.

    That needs a build, which fails in a folder with braces in its name, and setuptools from the network.
    """
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
    line = f"import os, sys; sys.path.append(os.fsdecode({os.fsencode(ROOT)!r}))\n"  # ASCII, for any locale
    (site_packages / "fmnist_utils.pth").write_text(line, encoding="ascii")


def install(wanted: dict[str, str], before: dict[str, str] | None = None) -> None:
    """Install the requirements into ``.venv``, and record what it was made for."""
    settings = pip_environment()
    RECORD.unlink(missing_ok=True)  # while pip works there is none: who is stopped now begins anew
    try:
        run(
            *(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q"),
            *("-r", "requirements.txt"),
            environment=settings,
            failed="pip could not install requirements.txt into .venv: its message is above. Once that is "
            "mended, the same command goes on.",
        )
    except SystemExit:
        if before:  # pip takes back what it cannot finish
            RECORD.write_text(json.dumps(before), encoding="utf-8")
        raise
    RECORD.write_text(json.dumps(wanted), encoding="utf-8")


def run(python: str | Path, *arguments: str | Path, environment: dict[str, str], failed: str, **options) -> str:
    """Run a Python by the variables given; what it printed if asked for, or an end with a sentence."""
    command = [python, "-I", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, close_fds=False, text=True, **options)
    if done.returncode:
        sys.exit(failed)
    return done.stdout


def bare_environment() -> dict[str, str]:
    """The variables without those that bend what Python or pip does: they were set for something else."""
    bending = ("PYTHON", "PIP_", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in os.environ.items() if not name.startswith(bending)}


def pip_environment() -> dict[str, str]:
    """The same, and of pip's variables and files what says where packages come from, as variables."""
    kept = {"PIP_" + name.upper().replace("-", "_"): name for name in KEPT}
    asking = {name: os.environ[name] for name in ("PIP_CONFIG_FILE", *kept) if name in os.environ}
    # Whatever a file says: "user = true" would list the user's file alone, "quiet = 1" nothing.
    asking |= {"PIP_USER": "0", "PIP_QUIET": "0", "PIP_VERBOSE": "0", "PIP_PYTHON": str(PYTHON)}
    told = run(
        *(PYTHON, "-X", "utf8", "-m", "pip", "config", "list"),
        environment=bare_environment() | asking,
        failed="pip could not read its settings: its message is above. Mend or remove what it names.",
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    listed = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    settings = {"PIP_CONFIG_FILE": os.devnull}
    for section in ("global", "install", ":env:"):  # the last one counts, as with pip
        for variable, name in kept.items():
            value = ast.literal_eval(listed.get(f"{section}.{name}", "''"))
            if value:
                settings[variable] = value
    return bare_environment() | settings


def say(sentence: str) -> None:
    """Tell something; on stderr, which shows any character in any locale."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("Stopped. The same command makes .venv anew.")
        sys.exit(130)
    except OSError as error:
        sys.exit(f"The set-up of .venv stopped: {error}")
