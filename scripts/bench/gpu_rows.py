"""Rows of the bench for a GPU: what both libraries measure, under the same names."""

import statistics
import time
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

from losses import DIMENSIONS, LAYOUTS

Found = dict[str, Any]  # column -> value

MARGIN, LEARNING_RATE = 0.5, 1e-3
CLASSES = 8  # in a batch of a step
TOWERS = {  # model, side and channels of an image
    "two convolutions": (f"{{filters: [32, 64], embedding_dim: {DIMENSIONS}}}", 28, 1),
    "resnet": (f"{{tower: resnet, embedding_dim: {DIMENSIONS}}}", 28, 1),
    "MobileNetV2": (f"{{tower: MobileNetV2, embedding_dim: {DIMENSIONS}}}", 96, 3),
}


class Row(NamedTuple):
    section: str
    name: str
    measure: Callable[[], Found]


class LossCase(NamedTuple):
    loss: str
    size: int
    layout: str

    def __str__(self) -> str:
        return f"{self.loss}, B = {self.size:,}, {LAYOUTS[self.layout]}"


class StepCase(NamedTuple):
    tower: str
    size: int
    bfloat16: bool
    sent: bool  # the images come from the host

    def __str__(self) -> str:
        precision = "bfloat16" if self.bfloat16 else "float32"
        place = "host" if self.sent else "device"
        return f"{self.tower}, B = {self.size:,}, {precision}, images on the {place}"

    @property
    def worth(self) -> int:
        """0 for the first to measure, 4 for the last."""
        return (self.size not in (32, 1024)) + self.bfloat16 + 2 * self.sent


def loss_cases(losses: tuple[str, ...], quick: bool) -> list[LossCase]:
    """Return cases in the order of their worth."""
    sizes = (32,) if quick else (1024, 128, 8192, 512, 4096)
    return [LossCase(loss, size, layout) for size, loss, layout in product(sizes, losses, LAYOUTS)]


def step_cases(towers: tuple[str, ...], quick: bool) -> list[StepCase]:
    """Return cases in the order of their worth."""
    sizes, precisions = ((32,), (False,)) if quick else ((1024, 128, 8192), (False, True))
    cases = product(towers[:1] if quick else towers, sizes, precisions, (False, True))
    return sorted((StepCase(*case) for case in cases), key=lambda case: case.worth)


def seconds_of(call: Callable[[], Any], wait: Callable[[Any], object], budget: float) -> float:
    """Seconds of a call, the median of five series; only the end of a series waits for the GPU."""
    wait(call())  # compiles
    begun = time.perf_counter()
    wait(call())
    one = max(time.perf_counter() - begun, 1e-6)
    calls = max(1, min(1000, int(budget / 5 / one)))
    series = []
    for _ in range(5 if calls > 1 else 2):
        begun = time.perf_counter()
        for _ in range(calls):
            result = call()
        wait(result)
        series.append((time.perf_counter() - begun) / calls)
    return statistics.median(series)
