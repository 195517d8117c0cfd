"""How the studies measure time: laps of a training, and the median of a call. No TensorFlow here."""

import statistics
import time
from collections.abc import Callable


class Clock:
    """Wall and processor seconds of each lap."""

    def __init__(self) -> None:
        self.laps: list[tuple[float, float]] = []
        self._last = self._now()

    def lap(self) -> None:
        """End a lap, and begin the next."""
        now = self._now()
        self.laps.append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def median_seconds(call: Callable[[], object], repeats: int = 10, unmeasured: int = 2) -> float:
    """How long a call takes, after some that trace, compile and warm up."""
    for _ in range(unmeasured):
        call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
