"""Kernels for headless runs: forked from a process that has TensorFlow, where the system allows it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from fmnist_utils.support.environment import INLINE

MODULE = "ipykernel_launcher"
# In a kernel's environment: the most memory that it may write to, and whether it will want TensorFlow.
MEMORY, COMPUTES = "FMNIST_MEMORY_MB", "FMNIST_COMPUTES"


class KernelManager(AsyncKernelManager):
    """Jupyter's manager; on Linux with sockets in the file system and kernels out of the nursery.

    Free TCP ports are looked for before the kernel takes them, and among hundreds of kernels another may
    have taken them by then; the name of a socket is its kernel's own.
    """

    launched: Any = None  # the kernel's process, which Jupyter forgets as soon as it has ended

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # This Python's own kernel, whatever other environments have installed under its name.
        self.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        if sys.platform == "linux":
            if sockets := _sockets():
                self.transport, self.ip, self.connection_file = "ipc", sockets, f"{sockets}.json"
            self.provisioner = _Provisioner(kernel_id="", kernel_spec=self.kernel_spec, parent=self)


def _sockets() -> str:
    """What the names of a kernel's sockets begin with; "" where each folder's name is too long for them."""
    for folder in (tempfile.gettempdir(), "/tmp", "/dev/shm"):
        sockets = f"{folder}/kernel-{uuid.uuid4()}"
        if os.access(folder, os.W_OK | os.X_OK) and len(os.fsencode(sockets)) + 2 <= zmq.IPC_PATH_MAX_LEN:
            return sockets
    return ""


def can_fork() -> bool:
    """Whether kernels can be forked: on Linux; not beside a GPU, whose driver does not outlive a fork."""
    return sys.platform == "linux" and not Path("/dev/nvidiactl").exists()


class _Provisioner(LocalProvisioner):
    """Jupyter's provisioner, which asks the nursery for what would be a new process, and limits memory."""

    parent: KernelManager

    async def launch_kernel(self, cmd: list[str], **options: Any):
        environment = options["env"]
        if can_fork():
            nursery = _nursery(environment.get("OMP_NUM_THREADS", ""))
            order = {"argv": cmd[cmd.index(MODULE) + 1 :], "cwd": str(options.get("cwd") or Path.cwd())}
            order |= {"env": environment, "stderr": options["stderr"].name}
            self.process: Any = nursery.fork(order | {"computes": COMPUTES in environment})
            self.pid = self.pgid = self.process.pid
        else:
            await super().launch_kernel(cmd, **options)
        self.parent.launched = self.process
        _limit_memory(self.process.pid, environment.get(MEMORY, ""))
        return self.connection_info


def _limit_memory(pid: int, megabytes: str) -> None:
    """What asks for more gets a ``MemoryError``, or ends."""
    if megabytes:
        with suppress(psutil.NoSuchProcess):  # it has ended already
            psutil.Process(pid).rlimit(psutil.RLIMIT_DATA, (int(megabytes) * 2**20,) * 2)


class _Nursery:
    """The nursery process, as its parent sees it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        command = [sys.executable, "-P", "-m", "fmnist_utils.batch.nursery"]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._said}
        pipes |= {"encoding": "utf-8", "start_new_session": True}
        self._process: Any = subprocess.Popen(command, env=environment, **pipes)

    def fork(self, order: dict[str, Any]) -> "_Forked":
        return _Forked(self._answer(order)["pid"], self)

    def reap(self, pid: int) -> int:
        return self._answer({"reap": pid})["status"]

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "{}")
        if not answer:
            self._said.seek(0)
            answer = {
                "error": self._said.read().decode(errors="replace").strip()[-400:] or "its parent has ended"
            }
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def has_ended(self) -> bool:
        return self._process.poll() is not None


_nurseries: dict[str, _Nursery] = {}
_lock = threading.Lock()


def _nursery(threads: str) -> _Nursery:
    """One for each share of the cores: libraries read OMP_NUM_THREADS when they are loaded."""
    with _lock:
        if threads not in _nurseries or _nurseries[threads].has_ended():
            environment = os.environ | {"MPLBACKEND": INLINE}
            _nurseries[threads] = _Nursery(environment | ({"OMP_NUM_THREADS": threads} if threads else {}))
        return _nurseries[threads]


class _Forked:
    """A kernel that is not this process's child, with what Jupyter uses of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, nursery: _Nursery) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None and not self._is_running():
            self._status = -signal.SIGKILL  # so it ends if its parent does
            with suppress(RuntimeError):
                self._status = self._nursery.reap(self.pid)
        return self._status

    def wait(self) -> int:
        while (status := self.poll()) is None:
            time.sleep(0.05)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:  # an ended one's number may be another process's by now
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    terminate = kill

    def _is_running(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False
