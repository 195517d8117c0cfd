"""The set-up in surroundings that lie or are hostile: real ``make`` and pip, a small clone with an odd name."""

import ast
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pip
import psutil
import pytest

import setup_venv
from fmnist_utils.support import files

MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(
    os.name == "nt" or not MAKE, reason="make, links and signals as on Linux and macOS"
)
not_as_root = pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() == 0, reason="root may write anywhere")

REAL = os.path.realpath(sys.executable)
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
ODD = "a b{x}#%ü$e'\""  # a folder's name
NOWHERE = "/nowhere/at-all"
LOCAL = "1.0+local"
# What the clone's package prints when the Makefile calls it, instead of fetching data.
PACKAGE = """import json, os, sys, wool
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "wool": wool.COLOUR, "from": wool.__file__,
                  "optimize": sys.flags.optimize, "warnings": sys.warnoptions, "safe": sys.flags.safe_path,
                  "home": os.environ["HOME"]}))"""
# A pip that is linked, not unpacked: a set-up then takes a second.
ENSUREPIP = """import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "pip.pth").write_text({folder!r})"""


def own_python(folder: Path, real: str = REAL) -> Path:
    """A Python that a test may break: the program copied, its library linked, ``ensurepip`` the short one."""
    where = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    library = Path(subprocess.run([real, "-I", "-c", where], capture_output=True, text=True).stdout.strip())
    own_library = folder / "lib" / library.name
    own_library.mkdir(parents=True)
    (folder / "bin").mkdir()
    python = folder / "bin" / "python3"
    shutil.copy(real, python)
    for path in [*library.iterdir(), *library.parent.glob("libpython*")]:
        if path.name not in ("ensurepip", "site-packages", library.name):
            (own_library / path.name if path.parent == library else folder / "lib" / path.name).symlink_to(path)
    (folder / "linked").mkdir()
    (folder / "linked" / "pip").symlink_to(Path(pip.__file__).parent)
    (own_library / "ensurepip").mkdir()
    (own_library / "ensurepip" / "__init__.py").touch()
    (own_library / "ensurepip" / "__main__.py").write_text(ENSUREPIP.format(folder=str(folder / "linked")))
    told = subprocess.run([python, "-I", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    if told.stdout.strip() != str(folder):
        pytest.skip("this Python does not run from another folder")
    return python


def other_python() -> str:
    """A Python of another version, on the path or in a folder beside this one, as pyenv and uv keep them."""
    minors = [minor for minor in (11, 12, 13) if minor != sys.version_info[1]]
    beside = Path(sys.base_prefix).parent
    found = [shutil.which(f"python3.{minor}") for minor in minors]
    found += [path for minor in minors for path in beside.glob(f"*3.{minor}*/bin/python3.{minor}")]
    for python in filter(None, found):
        command = [python, "-I", "-c", "import sys, sysconfig, venv; print(sys.executable)"]
        told = subprocess.run(command, capture_output=True, text=True)
        if not told.returncode:
            return os.path.realpath(told.stdout.strip())
    pytest.skip("no other Python from 3.11 to 3.13 here")


def write_wheel(folder: Path, name: str, code: str = "") -> None:
    """A package of one module, as a wheel, in a version that no index can have."""
    about = f"{name}-{LOCAL}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{LOCAL}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {LOCAL}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


class Clone:
    """A small clone: Makefile and script as they are, one requirement, a package that tells what it sees."""

    def __init__(self, folder: Path, python: Path | str, wheels: Path):
        self.folder, self.venv = folder, folder / ".venv"
        self.variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "MAKE"))
        }
        self.variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
        self.variables |= {
            "HOME": str(wheels),
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
        }
        (folder / "fmnist_utils").mkdir(parents=True)
        for name in ("Makefile", "setup_venv.py"):
            shutil.copy(files.PROJECT / name, folder)
        self.require("wool")
        (folder / "fmnist_utils" / "__init__.py").touch()
        (folder / "fmnist_utils" / "__main__.py").write_text(PACKAGE)

    def run(self, *command: str | Path, **variables: str | None) -> subprocess.CompletedProcess:
        """A command in the clone's folder; None takes a variable away."""
        given = {name: value for name, value in (self.variables | variables).items() if value is not None}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def set_up(self, *arguments: str, **variables: str | None) -> tuple[dict, str]:
        """``make setup``, which has to succeed: what the package saw, and what was said on the way."""
        done = self.run(MAKE, "-s", "setup", *arguments, **variables)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    def refused(self, *arguments: str, **variables: str | None) -> str:
        """``make setup``, which has to fail: what was said."""
        done = self.run(MAKE, "-s", "setup", *arguments, **variables)
        assert done.returncode
        return done.stdout + done.stderr

    def start(self, **variables: str) -> subprocess.Popen:
        """``make setup`` in a group of processes of its own."""
        return subprocess.Popen(
            [MAKE, "-s", "setup"],
            cwd=self.folder,
            env=self.variables | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def require(self, *names: str, comment: str = "") -> None:
        lines = [f"{name}=={LOCAL}\n" for name in names]
        (self.folder / "requirements.txt").write_text("".join(lines) + comment)

    def moved_to(self, folder: Path) -> None:
        self.folder, self.venv = self.folder.rename(folder), folder / ".venv"

    def in_venv(self, name: str) -> Path:
        """The place of a module in ``.venv``."""
        return self.venv / "lib" / f"python{VERSION}" / "site-packages" / name


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder, "wool", "COLOUR = 'red'")
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    return own_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def clone(tmp_path, python, wheels) -> Clone:
    """A bare clone."""
    return Clone(tmp_path / ODD, python, wheels)


@pytest.fixture(scope="module")
def steady(tmp_path_factory, python, wheels) -> Clone:
    """A clone that is set up, for tests that leave it as it is."""
    clone = Clone(tmp_path_factory.mktemp("steady") / ODD, python, wheels)
    clone.set_up()
    return clone


@pytest.fixture
def made(clone, steady) -> Clone:
    """A clone that is set up, as a copy of the steady one that says so, with a contributor's module in it."""
    shutil.copytree(steady.venv, clone.venv, symlinks=True)
    record = clone.venv / setup_venv.RECORD.name
    wanted = json.loads(record.read_text()) | {"place": str(clone.folder)}
    record.write_text(json.dumps(wanted))
    clone.in_venv("extra.py").touch()
    return clone


@contextlib.contextmanager
def silent_index():
    """An index that takes a connection and never answers: pip then is at work for as long as a test likes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server, {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": f"http://127.0.0.1:{server.getsockname()[1]}/"}


def test_without_make_one_command_sets_up_on_any_system(tmp_path, wheels):
    clone = Clone(tmp_path / "clone", sys.executable, wheels)
    done = clone.run(sys.executable, "setup_venv.py")
    assert not done.returncode, done.stderr
    inside = clone.venv / setup_venv.PYTHON.relative_to(setup_venv.VENV)
    assert json.loads(clone.run(inside, "-m", "fmnist_utils").stdout)["wool"] == "red"
    assert clone.run(inside, "setup_venv.py").stderr == "", "it is right, so nothing is said"


@needs_make
def test_what_is_right_is_left_alone_and_costs_little(steady):
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert steady.run(steady.venv / "bin" / "python", "setup_venv.py").stderr == ""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.2
    assert steady.set_up()[1] == ""


@needs_make
def test_a_clone_that_was_renamed(made):
    made.moved_to(made.folder.with_name("renamed"))
    seen, said = made.set_up("PYTHON=.venv/bin/python", CONDA_PREFIX=NOWHERE)
    assert seen["from"].startswith(str(made.venv))
    assert f"made in the folder {made.folder.with_name(ODD)}, and this is {made.folder}" in said
    imports = [
        made.venv / "bin" / "python",
        "-c",
        "import os; os.chdir('/'); import fmnist_utils as f; print(f)",
    ]
    assert str(made.folder) in made.run(*imports).stdout, "the package is that of the new folder"
    assert made.set_up()[1] == ""


@needs_make
def test_a_clone_that_was_copied(made, python, wheels):
    copy = Clone(made.folder.with_name("copy"), python, wheels)
    shutil.copytree(made.venv, copy.venv, symlinks=True)
    _, said = copy.set_up()
    assert "made in the folder" in said and not copy.in_venv("extra.py").exists()
    assert made.in_venv("extra.py").exists() and made.set_up()[1] == "", "the first one is as it was"


@needs_make
def test_its_python_is_gone(made):
    (made.venv / "bin" / "python3").unlink()
    (made.venv / "bin" / "python3").symlink_to(NOWHERE)
    assert not (made.venv / "bin" / "python").exists(), "a dangling link"
    assert "does not start" in made.set_up()[1]


@needs_make
def test_its_python_became_another_version_under_the_same_name(clone, tmp_path):
    first, other = tmp_path / "first", other_python()
    clone.set_up(f"PYTHON={own_python(first)}")
    shutil.rmtree(first)
    own_python(first, other)
    seen, said = clone.set_up(PATH=f"{first / 'bin'}{os.pathsep}{clone.variables['PATH']}")
    assert f"made with Python {VERSION}, and this is {seen['python']}" in said


@needs_make
def test_a_version_that_is_named_and_then_whatever_is_there(made, tmp_path):
    other = own_python(tmp_path / "another one", other_python())
    seen, said = made.set_up(PYTHON=str(other))  # in the environment, as on make's command line above
    assert f"made with Python {VERSION}, and this is {seen['python']}" in said
    assert made.set_up() == (seen, ""), "none is named: the one that is there is used"


@needs_make
def test_what_works_is_used_though_python3_is_not_there_or_not_fit(steady, tmp_path):
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    assert steady.set_up(PATH=f"{tmp_path}{os.pathsep}{os.defpath}")[1] == ""
    assert steady.set_up(PATH=NOWHERE)[1] == ""


@needs_make
def test_another_environments_python_is_only_borrowed(clone, python, tmp_path):
    clone.run(python, "-m", "venv", "--without-pip", tmp_path / "project")
    clone.set_up(f"PYTHON={tmp_path / 'project' / 'bin' / 'python'}", VIRTUAL_ENV=str(tmp_path / "project"))
    shutil.rmtree(tmp_path / "project")
    assert clone.set_up()[1] == ""


@needs_make
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"system": "Plan9 mips"}, ".venv was made on Plan9 mips, and this is"),
        ({"python": "3.9"}, ".venv was made with Python 3.9, and this is"),
        ({"place": "/old"}, ".venv was made in the folder /old, and this is"),
        (None, "did not come to its end, or was not this one"),
    ],
)
def test_what_it_was_made_for(made, monkeypatch, changes, reason):
    monkeypatch.setattr(setup_venv, "VENV", made.venv)
    wanted = setup_venv.description()
    assert reason in setup_venv.why_anew(changes and wanted | changes, wanted)


def test_a_damaged_record_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(setup_venv, "RECORD", tmp_path / "record")
    assert setup_venv.recorded() is None
    for text in ("", '{"place": '):
        setup_venv.RECORD.write_text(text)
        assert setup_venv.recorded() is None


@needs_make
def test_somebody_elses_environment_without_pip(clone, python):
    clone.run(python, "-m", "venv", "--without-pip", ".venv")
    assert "did not come to its end, or was not this one" in clone.set_up()[1]


@needs_make
def test_pip_was_removed(made):
    made.in_venv("pip.pth").unlink()
    assert "does not start, or has no pip" in made.set_up()[1]


@needs_make
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_it_is_no_folder(clone, kind):
    clone.venv.write_text("my-environment\n") if kind == "file" else clone.venv.symlink_to(NOWHERE)
    assert ".venv is not a folder" in clone.set_up()[1]


@needs_make
def test_a_link_to_a_folder_elsewhere_stays_one(clone, tmp_path):
    (tmp_path / "large disk").mkdir()
    clone.venv.symlink_to(tmp_path / "large disk")
    clone.set_up()
    assert clone.venv.is_symlink() and clone.set_up()[1] == ""


@needs_make
def test_changed_requirements_are_installed_and_nothing_is_deleted(made, wheels):
    write_wheel(wheels, "silk")
    made.require("wool", "silk")
    assert "requirements.txt has changed" in made.set_up()[1]
    assert made.in_venv("extra.py").exists() and made.in_venv("silk.py").exists()

    made.require("wool", "cotton")
    told = made.refused()
    assert "cotton" in told and "pip could not install requirements.txt into .venv" in told
    made.require("wool")
    made.set_up()
    assert made.in_venv("extra.py").exists(), "nor by an attempt that failed"


@needs_make
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_set_up_that_is_stopped_half_way_is_done_anew(made, name):
    made.require("wool", "cotton")
    with silent_index() as (server, index):
        making = made.start(**index)
        connection, _ = server.accept()
        os.killpg(making.pid, signal.Signals[name])
        said = making.communicate(timeout=60)[0]
        connection.close()
    assert making.returncode and "Traceback" not in said
    assert ("Stopped. The same command makes .venv anew." in said) == (name == "SIGINT")
    made.require("wool")
    assert "did not come to its end" in made.set_up()[1]
    assert not made.in_venv("extra.py").exists()


@needs_make
def test_two_at_once_and_a_pip_that_outlives_its_set_up(made):
    made.require("wool", "cotton")
    with silent_index() as (server, index):
        first = made.start(**index)
        connection, _ = server.accept()
        second = made.start()
        assert "requirements.txt has changed" in first.stdout.readline()
        assert "Another set-up is at work" in second.stdout.readline()
        script = next(child for child in psutil.Process(first.pid).children(recursive=True) if is_script(child))
        script.kill()
        first.wait()
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)  # pip is still at work
        made.require("wool")
        os.killpg(first.pid, signal.SIGKILL)
        connection.close()
    said = second.communicate(timeout=60)[0]
    assert not second.returncode and '"wool": "red"' in said


def is_script(process: psutil.Process) -> bool:
    return process.cmdline()[-1:] == ["setup_venv.py"]


@needs_make
def test_a_disk_without_locks(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert setup_venv.one_at_a_time() is None


# What would install elsewhere, less, more, or nothing, or with another Python.
BENDING = {
    **{"user": "1", "target": NOWHERE, "prefix": NOWHERE, "root": NOWHERE, "dry-run": "1", "no-deps": "1"},
    **{
        "require-virtualenv": "1",
        "require-hashes": "1",
        "no-binary": ":all:",
        "constraint": NOWHERE,
        "pre": "1",
    },
    **{"python": NOWHERE, "isolated": "1", "quiet": "3", "only-binary": "wool", "ignore-installed": "1"},
    **{"no-build-isolation": "1", "requirement": NOWHERE, "abi": "x", "platform": "x", "upgrade": "1"},
}


@needs_make
@pytest.mark.parametrize("where", ["variables", "global", "install"])
def test_settings_of_pip_that_would_bend_the_installation(made, tmp_path, where):
    made.require("wool", comment="# changed")
    made.in_venv("wool.py").unlink()
    shutil.rmtree(made.in_venv("wool-1.0+local.dist-info"))
    if where == "variables":
        variables = {"PIP_" + name.upper().replace("-", "_"): value for name, value in BENDING.items()}
    else:
        path = tmp_path / "pip.conf"
        lines = [f"{name} = {value}" for name, value in BENDING.items()]
        wheels = {"no-index": made.variables["PIP_NO_INDEX"], "find-links": made.variables["PIP_FIND_LINKS"]}
        lines += [f"{name} = {value}" for name, value in wheels.items()]
        path.write_text("\n".join([f"[{where}]", *lines]))
        variables = {"PIP_NO_INDEX": None, "PIP_FIND_LINKS": None, "PIP_CONFIG_FILE": str(path)}
    seen, _ = made.set_up(**variables)
    assert seen["from"] == str(made.in_venv("wool.py")) and made.in_venv("extra.py").exists()


def test_settings_of_pip_that_say_where_packages_come_from_are_kept(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(setup_venv, "PYTHON", sys.executable)
    path = tmp_path / "pip.conf"
    path.write_text(
        "[global]\nindex-url = https://name:p%40ss@example.org/simple\nproxy = http://example.org:1\n"
        "find-links =\n    /a\n    /b\ntimeout = 7\nuser = true\n[install]\nretries = 3\ntimeout = 8\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    monkeypatch.setenv("PIP_PROXY", "http://example.org:2")
    monkeypatch.setenv("PIP_CERT", "/ü/own.pem")
    monkeypatch.setenv("PIP_PREFIX", NOWHERE)
    monkeypatch.setenv("PYTHONPATH", NOWHERE)
    kept = setup_venv.pip_environment()
    assert kept["PIP_INDEX_URL"] == "https://name:p%40ss@example.org/simple"
    assert kept["PIP_FIND_LINKS"].split() == ["/a", "/b"]
    assert (kept["PIP_PROXY"], kept["PIP_CERT"]) == ("http://example.org:2", "/ü/own.pem"), "variables count"
    assert (kept["PIP_RETRIES"], kept["PIP_TIMEOUT"]) == ("3", "8")
    assert kept["PIP_CONFIG_FILE"] == os.devnull
    assert not {"PIP_USER", "PIP_PREFIX", "PIP_PYTHON", "PYTHONPATH"} & kept.keys()


@needs_make
def test_a_file_that_pip_cannot_read_is_named(made, tmp_path):
    made.require("wool", comment="# changed")
    (tmp_path / "pip.conf").write_text("index-url: no section\n")
    told = made.refused(PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert str(tmp_path / "pip.conf") in told and "pip could not read its settings" in told


@needs_make
def test_no_network(made):
    made.require("wool", comment="# changed")
    made.in_venv("wool.py").unlink()
    shutil.rmtree(made.in_venv("wool-1.0+local.dist-info"))
    index = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
    told = made.refused(**index, PIP_FIND_LINKS=None)
    assert "wool" in told and "pip could not install requirements.txt into .venv: its message is above" in told
    assert made.in_venv("extra.py").exists()


HOSTILE = {
    **{"PYTHONHOME": NOWHERE, "PYTHONPATH": "other", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"},
    **{"PYTHONSAFEPATH": "1", "PYTHONINSPECT": "1", "PYTHONPLATLIBDIR": "lib128", "PYTHONEXECUTABLE": NOWHERE},
    **{"__PYVENV_LAUNCHER__": NOWHERE, "VIRTUAL_ENV": NOWHERE, "CONDA_PREFIX": NOWHERE, "SHELL": "/bin/false"},
    **{"MAKEFLAGS": "-j8", "TMPDIR": NOWHERE, "BASH_ENV": NOWHERE, "LC_ALL": "tlh_QO.ISO-8859-1"},
}


@needs_make
@pytest.mark.parametrize("bare", [True, False])
def test_variables_that_were_set_for_something_else(clone, steady, bare):
    used = clone if bare else steady
    (used.folder / "other").mkdir(exist_ok=True)
    for name in ("wool", "json", "pip"):
        (used.folder / "other" / f"{name}.py").write_text("raise SystemExit('of another project')")
    seen, said = used.set_up(**HOSTILE)
    assert seen["from"].startswith(str(used.venv))
    assert (seen["optimize"], seen["warnings"], seen["safe"]) == (0, [], False)
    assert bare or said == ""


@needs_make
def test_another_locale_reads_the_same_folder(steady):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert steady.set_up(**plain)[1] == ""
    told = steady.run(MAKE, "-s", "setup", "PYTHON=/nowhere/ü", **plain)
    assert "could not be started" in told.stderr
    code = "import os; os.chdir('/'); import fmnist_utils"
    assert not steady.run(steady.venv / "bin" / "python", "-c", code, **plain).stderr


@needs_make
@pytest.mark.parametrize("home", ["", None])
def test_no_home(steady, home):
    assert steady.set_up(HOME=home)[0]["home"] == str(steady.folder / "runs" / "home")
    assert steady.set_up(HOME="/home")[0]["home"] == "/home"


@needs_make
def test_a_home_that_cannot_be_written(steady, tmp_path):
    stand_in(steady)
    done = steady.run(MAKE, "-s", "lab", HOME=NOWHERE)
    assert f"home {steady.folder / 'runs' / 'home'}" in done.stdout and "cannot be written" in done.stdout
    assert f"home {tmp_path}" in steady.run(MAKE, "-s", "lab", HOME=str(tmp_path)).stdout


@needs_make
@pytest.mark.parametrize("folder", [None, NOWHERE, "/proc", "long and with blanks " * 9])
def test_folders_for_what_is_temporary(steady, tmp_path, folder):
    stand_in(steady)
    writable = folder is not None and not folder.startswith("/")
    if writable:
        folder = str(tmp_path / folder.strip())
        os.mkdir(folder)
    done = steady.run(MAKE, "-s", "test", TMPDIR=folder)
    assert not done.returncode, done.stderr
    none, store = [line for line in done.stdout.splitlines() if line.startswith("store ")]
    assert none == "store None" and store.startswith(f"store {folder if writable else '/'}")


# What ``make test`` and ``make lab`` call, as modules in the clone's folder that tell what they were given.
STAND_INS = {
    "jupyterlab.py": "import os\nprint('home', os.environ['HOME'])",
    "ruff.py": "",
    "mypy.py": "",
    "pytest.py": "import os\nprint('store', os.environ.get('FMNIST_RUNS_DIR'))",
    "importlinter/cli.py": "lint_imports_command = print",
    "fmnist_utils/support.py": "class cores:\n    per_process = staticmethod(lambda count: 1)",
    "tests/notebooks/lessons.py": "",
}


def stand_in(clone: Clone) -> None:
    for name, text in STAND_INS.items():
        path = clone.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@needs_make
def test_no_python_of_that_name(clone):
    assert '"python3" could not be started.' in clone.refused(PATH=NOWHERE)
    told = clone.refused("PYTHON=python3.99 of mine")
    assert '"python3.99 of mine" could not be started. Name a Python' in told and "PYTHON=python3.12" in told
    assert not clone.venv.exists()


@needs_make
def test_an_unfit_python_is_refused_and_what_is_there_stays(made):
    script = (made.folder / "setup_venv.py").read_text()
    (made.folder / "setup_venv.py").write_text(script.replace("(3, 11), (3, 13)", "(3, 98), (3, 99)"))
    told = made.refused("PYTHON=python3")
    assert "Python 3.11 to 3.13 is needed, this is" in told and "PYTHON=python3.12" in told
    assert made.in_venv("extra.py").exists()


def test_old_pythons_can_read_the_script_and_the_versions_are_those_of_the_project():
    ast.parse((files.PROJECT / "setup_venv.py").read_text(encoding="utf-8"), feature_version=(3, 8))
    project = tomllib.loads((files.PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest, newest = setup_venv.OLDEST, setup_venv.NEWEST
    assert project["requires-python"] == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"


@needs_make
def test_python_without_ensurepip(clone, tmp_path):
    lacking = own_python(tmp_path / "lacking")
    shutil.rmtree(tmp_path / "lacking" / "lib" / f"python{VERSION}" / "ensurepip")
    told = clone.refused(f"PYTHON={lacking}")
    assert "ensurepip" in told and "could not make .venv: its message is above" in told


@needs_make
def test_a_folder_with_the_separator_of_paths(tmp_path, python, wheels):
    told = Clone(tmp_path / "a:b", python, wheels).refused()
    assert "PATH separator" in told and "could not make .venv: its message is above" in told


@needs_make
@not_as_root
def test_a_clone_that_cannot_be_written(made):
    made.folder.chmod(0o500)
    assert made.set_up()[1] == "", "what is right needs no writing"
    shutil.rmtree(made.venv)
    assert "Permission denied" in made.refused()
