"""Opening of a run folder for the only process that may use it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from triplet_train.config import to_yaml
from triplet_train.files import remove, remove_partial, write_text
from triplet_train.run.guard import check, require_same_images, require_same_parent
from triplet_train.run.lock import locked
from triplet_train.run.provenance import record_resumption, record_start
from triplet_train.run.request import TrainRequest


@contextmanager
def opened(
    request: TrainRequest,
    digests: dict[str, str],
    classes: Sequence[str] = (),
    gpus: Sequence[str] = (),
    pretrained: Mapping[str, str | None] | None = None,
) -> Iterator[None]:
    """Lock the run folder within the block, and write config.yaml and environment.json.

    Args:
        digests, classes, gpus, pretrained: see `record_start`.

    Raises:
        RequestError: see `check`, `require_same_images` and `require_same_parent`; or another
            process is using the folder.
    """
    run = request.run
    run.path.mkdir(parents=True, exist_ok=True)
    with locked(run):
        check(request)  # again, now that nobody else writes
        if request.resume:
            require_same_images(run, digests)
            require_same_parent(run, (pretrained or {}).get("model.init"))
        for folder in (run.path, run.checkpoints, run.embeddings, run.plots, run.tensorboard):
            remove_partial(folder)
        if request.overwrite:
            for entry in run.entries:
                remove(entry)
        if request.resume:
            record_resumption(run, gpus)
        else:
            record_start(run, digests, classes, gpus, pretrained)
        write_text(run.config, to_yaml(request.config))
        yield
