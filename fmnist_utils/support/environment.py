"""The environment as this series needs it, whatever a shell, a container or a batch system has set.

It is put right when the package is imported: before NumPy, matplotlib, TensorFlow and Keras read it, and for
all that this process starts. No file of a user's is changed. No TensorFlow here.
"""

import io
import os
import sys
import tempfile
from pathlib import Path

INLINE = "module://matplotlib_inline.backend_inline"  # matplotlib's backend for pictures in notebooks

# What chooses oneDNN's instructions. TensorFlow's own first line recommends to switch oneDNN off; bfloat16
# then takes ten times as long. With fewer instructions it is refused; with another mode float32 is not float32.
_ONEDNN = (
    "TF_ENABLE_ONEDNN_OPTS",
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
)
_UNDONE = (
    *_ONEDNN,
    "TF_XLA_FLAGS",  # compiles each network anew, which takes longer than to train it
    "TF_USE_LEGACY_KERAS",  # tf.keras would be Keras 2
    *("KERAS_BACKEND", "KERAS_NNX_ENABLED"),  # another Keras
    *("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"),  # trainings that end before their time
    "PYTHONIOENCODING",  # of the pipes between this process and those that it starts
)
# Folders that must be writable, and where they are in a home.
_FOLDERS = {
    "IPYTHONDIR": ".ipython",
    "JUPYTER_RUNTIME_DIR": ".local/share/jupyter/runtime",
    "MPLCONFIGDIR": ".config/matplotlib",
    "XDG_CACHE_HOME": ".cache",
}
# TensorFlow was imported before this package, and has read what is undone here too late.
ONEDNN_HELD_BACK = "tensorflow" in sys.modules and any(os.environ.get(name, "1") != "1" for name in _ONEDNN)


def settle() -> None:
    """Put the variables of this process right, and its standard output."""
    for name in _UNDONE:
        os.environ.pop(name, None)
    os.environ["PYTHONUTF8"] = "1"  # for those that this process starts
    _settle_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # no kernel's
        sys.stdout.reconfigure(errors="replace")  # where a terminal has no "…", let it show a "?"
    _settle_matplotlib()
    if os.name == "posix":
        _settle_home()


def keras_home() -> Path:
    """Keras's folder, where its data sets are, as Keras itself would find it."""
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras"))


def in_kernel() -> bool:
    """Whether this process is a notebook's."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


def _settle_streams() -> None:
    """Open what was closed, as for a program without a terminal: the next file would get its number."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if descriptor else "r", encoding="utf-8"))  # noqa: SIM115


def _settle_matplotlib() -> None:
    """A notebook has its own backend, which is chosen where none is named, and no windows."""
    os.environ["MATPLOTLIBRC"] = os.devnull  # an empty one: pictures are the same everywhere
    if in_kernel():
        os.environ["MPLBACKEND"] = INLINE
    elif os.environ.get("MPLBACKEND") != INLINE:
        os.environ.pop("MPLBACKEND", None)


def _settle_home() -> None:
    """Give those a folder of their own that need one and have none: IPython, Jupyter, matplotlib, the data."""
    home = os.path.expanduser("~")  # this stays "~" where nobody knows the user
    if not (os.path.isabs(home) and os.path.isdir(home)):
        home = os.environ["HOME"] = _substitute()
    for name, usual in _FOLDERS.items():
        named = os.environ.get(name, "")
        place = named if os.path.isabs(named) else os.path.join(home, usual)
        kept = os.path.exists(os.path.join(place, "fmnist_utils"))  # data to be read, where none can be written
        if kept or _writable(place):
            os.environ |= {name: place} if named else {}
        else:
            os.environ[name] = os.path.join(_substitute(), usual)


def _writable(place: str) -> bool:
    """Whether a folder can be made there, or a file in it."""
    while not os.path.exists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    return os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)


def _substitute() -> str:
    """A home for a user who has none: the same for each process, and nobody else's."""
    place = os.path.join(tempfile.gettempdir(), f"fmnist_utils-{os.getuid()}")
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        if os.lstat(place).st_uid != os.getuid():  # put there by somebody else
            return tempfile.mkdtemp(prefix="fmnist_utils-")
    return place
