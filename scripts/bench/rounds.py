"""Measurements in rounds of random order."""

import random
from collections.abc import Callable, Mapping
from statistics import median

from sections import table


def in_rounds(parts: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each part returns, in every round.

    All parts share the slow minutes of the machine, and none of them always comes first. Each part
    is called once before, to compile it.
    """
    for part in parts.values():
        part()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name in random.sample(list(parts), len(parts)):
            seconds[name].append(parts[name]())
    return seconds


def rates(seconds: Mapping[str, list[float]], images: int) -> str:
    """Table of the median seconds of a part that handles `images`, beside the first part.

    The last column is the median of the ratios within a round.
    """
    base_name, base = next(iter(seconds.items()))
    rows = [["", "ms", "images/s", f"rate / {base_name}"]]
    for name, times in seconds.items():
        ratio = median(b / t for b, t in zip(base, times, strict=True))
        took = median(times)
        rows.append([name, f"{1e3 * took:,.1f}", f"{images / took:,.0f}", f"{ratio:.3f}"])
    return table(rows)
