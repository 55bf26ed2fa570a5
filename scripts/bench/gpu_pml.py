"""Rows of PyTorch and PyTorch Metric Learning in the bench for a GPU."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Any

import torch
from gpu_rows import (
    CLASSES,
    LEARNING_RATE,
    MARGIN,
    TOWERS,
    Found,
    LossCase,
    Row,
    StepCase,
    loss_cases,
    seconds_of,
    step_cases,
)
from libraries import torch_loss, torch_tower, versions
from losses import DIMENSIONS, make_batch
from machine import gpu_driver

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def rows(quick: bool, budget: float) -> Iterator[Row]:
    """Yield rows in the order of their worth; `budget` is the seconds of a measurement."""
    yield Row("machine", "PyTorch", machine)
    losses = loss_cases(("semi_hard", "hard", "batch_all"), quick)
    steps = step_cases(tuple(TOWERS)[:1], quick)
    yield from (Row("step", str(c), partial(step, c, budget)) for c in steps if c.worth < 2)
    yield from (Row("loss", str(c), partial(loss, c, budget)) for c in losses)
    yield from (Row("step", str(c), partial(step, c, budget)) for c in steps if c.worth >= 2)


def machine() -> Found:
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU"
    return {
        "device": device,
        "driver": gpu_driver(),
        "measured": f"{date.today()}; {versions('pml')}",
    }


def peak(call: Callable[[], Any]) -> Found:
    """MiB on the GPU during a call."""
    if DEVICE == "cpu":
        return {}
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call().item()
    return {"peak MiB": (torch.cuda.max_memory_allocated() - before) / 2**20}


def loss(case: LossCase, budget: float) -> Found:
    arrays = make_batch(case.layout, case.size)
    labels, vectors = (torch.from_numpy(array).to(DEVICE) for array in arrays)
    vectors.requires_grad_()
    function = torch_loss(case.loss, MARGIN)

    def call() -> Any:
        value = function(vectors, labels)
        torch.autograd.grad(value, vectors)
        return value

    seconds = seconds_of(call, lambda value: value.item(), budget)
    return {"ms": 1e3 * seconds, **peak(call), "value": call().item()}


def step(case: StepCase, budget: float) -> Found:
    """Steps with the same tower, loss and Adam, run eagerly."""
    _, side, channels = TOWERS[case.tower]
    images = torch.randint(0, 256, (case.size, channels, side, side), dtype=torch.uint8)
    if not case.sent:
        images = images.to(DEVICE)
    elif DEVICE == "cuda":
        images = images.pin_memory()
    labels = torch.arange(case.size, device=DEVICE) // (case.size // CLASSES)
    network = torch_tower(side, (32, 64), DIMENSIONS).to(DEVICE)
    function = torch_loss("semi_hard", MARGIN)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)

    def call() -> Any:
        optimizer.zero_grad()
        pixels = images.to(DEVICE, non_blocking=True)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=case.bfloat16):
            vectors = network(pixels.float() / 255)
        value = function(torch.nn.functional.normalize(vectors.float()), labels)
        value.backward()
        optimizer.step()
        return value

    seconds = seconds_of(call, lambda value: value.item(), budget)
    return {"whole ms": 1e3 * seconds, "images/s": case.size / seconds, **peak(call)}
