"""A request to train."""

from dataclasses import dataclass

from triplet_train.config import Config
from triplet_train.run.folder import RunFolder


@dataclass(frozen=True)
class TrainRequest:
    """A configuration, and the folder to train it in.

    Attributes:
        config: resolved.
        run: the folder, which need not exist.
        resume: continue the run in the folder.
        overwrite: replace the run in the folder.
    """

    config: Config
    run: RunFolder
    resume: bool = False
    overwrite: bool = False
