"""Kernels for headless runs: forked from a process that has TensorFlow, where the system allows it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
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

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if sys.platform == "linux":
            sockets = Path(tempfile.gettempdir()) / f"kernel-{uuid.uuid4()}"  # the system limits its length
            self.transport, self.ip, self.connection_file = "ipc", str(sockets), f"{sockets}.json"
            self.provisioner = _Provisioner(kernel_id="", kernel_spec=self.kernel_spec, parent=self)


def can_fork() -> bool:
    """Whether kernels can be forked: on Linux; not beside a GPU, whose driver does not outlive a fork."""
    return sys.platform == "linux" and not Path("/dev/nvidiactl").exists()


class _Provisioner(LocalProvisioner):
    """Jupyter's provisioner, which asks the nursery for what would be a new process, and limits memory."""

    async def launch_kernel(self, cmd: list[str], **options: Any):
        environment = options["env"]
        if can_fork() and MODULE in cmd and cmd[0] == sys.executable:
            nursery = _nursery(environment.get("OMP_NUM_THREADS", ""))
            order = {"argv": cmd[cmd.index(MODULE) + 1 :], "cwd": str(options.get("cwd") or Path.cwd())}
            self.process: Any = nursery.fork(**order, env=environment, computes=COMPUTES in environment)
            self.pid = self.pgid = self.process.pid
        else:  # or it is another language's, another environment's
            await super().launch_kernel(cmd, **options)
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
        command = [sys.executable, "-P", "-m", "fmnist_utils.batch.nursery"]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        pipes |= {"encoding": "utf-8", "start_new_session": True}
        self._process: Any = subprocess.Popen(command, env=environment, **pipes)

    def fork(self, **order: Any) -> "_Forked":
        answer = ""
        with self._lock, suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
            if answer.isdigit():
                return _Forked(int(answer))
        raise RuntimeError(answer or "what was to fork it has ended; `import tensorflow` in Python may say why")

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

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):  # it has ended already
            self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        with suppress(psutil.NoSuchProcess):
            if self._process and self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                return None
        return 0

    def wait(self) -> int:
        if self._process:
            self._process.wait()
        return 0

    def send_signal(self, number: int) -> None:
        if self._process:
            with suppress(psutil.NoSuchProcess):
                self._process.send_signal(number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    terminate = kill
