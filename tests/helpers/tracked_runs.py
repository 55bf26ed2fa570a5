"""Sessions of a run with trackers, without a training."""

from triplet_train.console import Console
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training.tracking import tracking


def session(config, folder, earlier, lines, error=None):
    """Lines for the user of a session after `earlier` that logs `lines`, or what it raises."""
    run, said = RunFolder(folder), []
    folder.mkdir(exist_ok=True)
    run.config.write_text("seed: 0\n")
    with tracking(TrainRequest(config, run), Console(write=said.append)) as trackers:
        trackers.earlier(earlier)
        for line in lines:
            trackers.metrics(line)
        if error:
            raise error
        trackers.result(run, 9, {"test[:50%]": {"map": 0.5}})
    return [line for line in said if not line.startswith("waiting for")]
