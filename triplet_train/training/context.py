"""The surroundings of a run, made once by its job."""

from dataclasses import dataclass

from triplet_train.console import Console
from triplet_train.run.request import TrainRequest
from triplet_train.training.devices import Devices


@dataclass(frozen=True, kw_only=True)
class Context(TrainRequest):
    """A request with the devices that train and the console that tells of it.

    Attributes:
        devices: chosen for `config`.
        console: for lines, warnings and bars.
    """

    devices: Devices
    console: Console
