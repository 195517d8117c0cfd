"""Numbers and shapes as the drawings write them."""

from collections.abc import Sequence

import numpy as np


def rounded(value: float, decimals: int) -> str:
    """A number with so many decimals, never ``−0``: ``1,024``, ``−0.50``."""
    return f"{np.round(value, decimals) + 0.0:,.{decimals}f}".replace("-", "−")


def alike(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers with as many decimals as they all need: three at most, fewer beside numbers of 10 and more."""
    values = np.asarray(values, float)
    most = 3 - sum(float(np.abs(values).max(initial=0)) >= bound for bound in (10, 100, 1000))
    exact = (d for d in range(most) if np.allclose(values, np.round(values, d), rtol=0, atol=1e-6))
    decimals = next(exact, most)
    return [rounded(value, decimals) for value in values]


def read(word: str) -> float:
    """The number that was written."""
    return float(word.replace("−", "-").replace(",", ""))


def shape(lengths: Sequence[int]) -> str:
    """A shape in words: ``26 × 26 × 32``."""
    return " × ".join(f"{length:,}" for length in lengths)
