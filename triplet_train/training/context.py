"""The surroundings of a run, made once by its job."""

from dataclasses import dataclass, field

from triplet_train.console import Console
from triplet_train.run.request import TrainRequest
from triplet_train.training.devices import Devices
from triplet_train.training.tracking import Tracking


@dataclass(frozen=True, kw_only=True)
class Context(TrainRequest):
    """A request with the devices that train and the console that tells of it.

    Attributes:
        devices: chosen for `config`.
        console: for lines, warnings and bars.
        tracking: receives what is logged.
    """

    devices: Devices
    console: Console
    tracking: Tracking = field(default_factory=Tracking)
