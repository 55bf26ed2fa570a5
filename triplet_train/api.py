"""The jobs of the commands as functions of Python, for notebooks and scripts."""

import logging
import os
import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin, overload

import numpy as np

from triplet_train.config import as_overrides
from triplet_train.console import Console
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import Stopped
from triplet_train.files import read_json
from triplet_train.jobs.embed.request import EmbedRequest
from triplet_train.jobs.evaluate.answer import answer, content
from triplet_train.jobs.evaluate.files import evaluate_files
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.train.request import make_request
from triplet_train.jobs.with_tensorflow import import_with_tensorflow

if TYPE_CHECKING:
    import keras

AnyPath: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A finished run. It stands for its folder wherever a path is taken.

    Attributes:
        run_dir: the folder.
        metrics: the content of metrics.json: the metrics of the first exported split by name, and
            those of all splits under `splits`.
        summary: the text that triplet-train prints at the end.
    """

    run_dir: Path
    metrics: dict[str, Any]
    summary: str

    def __fspath__(self) -> str:
        return str(self.run_dir)

    def __repr__(self) -> str:
        shown = ("step", "recall_at_1", "map_at_r")
        values = [f"{name}={self.metrics[name]:.6g}" for name in shown if name in self.metrics]
        return f"TrainedRun({', '.join([repr(str(self.run_dir)), *values])})"


def train(
    config: AnyPath | Mapping[str, Any],
    run_dir: AnyPath | None = None,
    *,
    data_dir: AnyPath | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    **overrides: Any,
) -> TrainedRun:
    """Train an embedding tower, export its embeddings and evaluate them, as triplet-train does.

    The result has the same bits as that of the command.

    Args:
        config: a YAML file, the name of a shipped configuration, or the configuration as a mapping.
        run_dir: folder of the run; None: `runs/` and the name of the configuration.
        data_dir: folder of TFDS; wins over `data.data_dir`.
        resume: continue the run in its folder.
        overwrite: replace the run in its folder.
        quiet: print nothing and show no bar.
        overrides: keys of the configuration, which win: `seed=1`, `loss={"margin": 0.3}` or
            `**{"loss.margin": 0.3}`. Other keys of a section stay.

    Returns:
        The folder of the run, and its metrics.

    Raises:
        RequestError: the request is wrong. Nothing was changed.
        RunError: the run failed.
        KeyboardInterrupt: Ctrl-C, or the interrupt of a notebook. The last step is saved, and
            `resume=True` continues from it.
        Stopped: by another signal, after its own handler, or because standard error cannot be
            written; likewise.
        OSError: a file cannot be read or written.
    """
    request = make_request(
        config if isinstance(config, Mapping) else os.fspath(config),
        as_overrides(overrides),
        run_dir=None if run_dir is None else Path(run_dir),
        data_dir=None if data_dir is None else Path(data_dir),
        resume=resume,
        overwrite=overwrite,
    )
    job = import_with_tensorflow("triplet_train.jobs.train.job")
    with _process_left_alone():
        summary = job.run(request, Console(quiet))
    if not quiet:
        print(summary)
    return TrainedRun(request.run.path, read_json(request.run.metrics), summary)


@overload
def embed(
    checkpoint: AnyPath, output: None = None, *, quiet: bool = False, **options: Any
) -> EmbeddingTable: ...


@overload
def embed(checkpoint: AnyPath, output: AnyPath, *, quiet: bool = False, **options: Any) -> Path: ...


def embed(
    checkpoint: AnyPath,
    output: AnyPath | None = None,
    *,
    split: str | None = None,
    images: AnyPath | None = None,
    quiet: bool = False,
    **options: Any,
) -> EmbeddingTable | Path:
    """Embed the images of a split, a folder or a table, as triplet-embed does.

    Args:
        checkpoint: a run folder (its best checkpoint), a checkpoint inside one, a `.keras` file or
            an export.
        output: the file to write; None: return the embeddings, which then fit in memory.
        split: such as `test` or `train[:10%]`; None: the first that the run exports.
        images: a folder or a table of images, instead of a split.
        quiet: print nothing and show no bar.
        options: further options of triplet-embed under their names, such as `batch_size=64`,
            `flip=True`, `classes=["cat", "dog"]` or `overwrite=True`.

    Returns:
        Without `output` a table with the attributes `embeddings` (float32 [N, D]), `labels` (int64
        [N]; -1: none), `label_names` and `ids` (N strings each), `columns` and `metadata`. With it
        the path of the file, or of its shard.

    Raises:
        RequestError: the request is wrong, and nothing was written.
        RunError: images cannot be read. With `output` the others are written all the same.
        KeyboardInterrupt: the output is as it was.
        OSError: a file cannot be read or written.
    """
    options |= {"checkpoint": checkpoint, "split": split, "images": images}
    if output is None:
        with TemporaryDirectory() as folder:
            file = Path(folder, "embeddings.parquet")
            return read_table(_embed(options | {"output": file, "strict": True}, quiet)[0])
    written, summary = _embed(options | {"output": output}, quiet)
    if not quiet:
        print(summary)
    return written


def _embed(options: Mapping[str, Any], quiet: bool) -> tuple[Path, str]:
    """Return the file that was written, and a sentence about it."""
    request = EmbedRequest(**_with_paths(EmbedRequest, options))
    job = import_with_tensorflow(f"triplet_train.jobs.embed.{request.engine}")
    with _process_left_alone():
        count, width = job.embed(request, Console(quiet))
    return request.file, f"{request.file}: {count:,} vectors of {width} dimensions"


def evaluate(
    checkpoint: AnyPath | None = None,
    *,
    queries: AnyPath | None = None,
    gallery: AnyPath | None = None,
    split: str | None = None,
    evaluation: Mapping[str, Any] | None = None,
    quiet: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate embeddings, as triplet-eval does. Prints its tables.

    Args:
        checkpoint: a run, checkpoint, `.keras` file or export, to be evaluated on its images.
        queries: or an embedding file, which needs no TensorFlow.
        gallery: with `queries`, the file to search; None: each query searches the others.
        split: with `checkpoint`; None: the first that the run exports.
        evaluation: keys of this section of the configuration, such as `{"recall_at": [1, 10]}`.
        quiet: print nothing and show no bar.
        options: further options of triplet-eval under their names, such as `rerank=True`,
            `episodes=1000`, `against=["runs/b"]` or `report="page.html"`.

    Returns:
        The content of `triplet-eval --json`: metrics by name, such as `recall_at_1`, in 0..1, and
        their intervals, thresholds and classes.

    Raises:
        RequestError: the request is wrong.
        RunError: images cannot be read, or there is not enough memory.
        KeyboardInterrupt: no file was left half written.
        OSError: a file cannot be read or written.
    """
    options |= {"checkpoint": checkpoint, "queries": queries, "gallery": gallery, "split": split}
    set_ = as_overrides({"evaluation": evaluation or {}})
    request = EvaluationRequest(**_with_paths(EvaluationRequest, options), set_=set_)
    console = Console(quiet)
    if queries is not None:
        evaluated = evaluate_files(request, console)
    else:
        job = import_with_tensorflow("triplet_train.jobs.evaluate.checkpoint")
        with _process_left_alone():
            evaluated = job.evaluate_checkpoint(request, console)
    for text in answer(request, evaluated):
        if not quiet:
            print(text, end="")
    return content(evaluated)


def load_embedder(path: AnyPath) -> "keras.Model":
    """Load the trained tower of a run folder, a checkpoint inside one, or a `.keras` file.

    Returns:
        A model that maps uint8 images [N, H, W, C], as they are in the data set, to unit vectors
        float32 [N, D].

    Raises:
        RequestError: nothing at `path` can be loaded as an embedder.
    """
    return import_with_tensorflow("triplet_train.models.embedder").load_embedder(path)


def _with_paths(request: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a request with `Path` in place of text where it takes paths."""
    given = {name: value for name, value in options.items() if value is not None}
    for field in fields(request):
        if field.name in given and Path in (field.type, *get_args(field.type)):
            value = given[field.name]
            if get_origin(field.type) is Sequence:
                several = [value] if isinstance(value, str | os.PathLike) else value
                given[field.name] = [Path(each) for each in several]
            else:
                given[field.name] = Path(value)
    return given


@contextmanager
def _process_left_alone() -> Iterator[None]:
    """Give back the random states and the log level that a job changes; let signals act.

    Raises:
        KeyboardInterrupt: in place of `Stopped` by Ctrl-C.
    """
    logger = logging.getLogger("tensorflow")
    before = random.getstate(), np.random.get_state(), logger.level
    logger.setLevel("ERROR")
    try:
        yield
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            raise KeyboardInterrupt(str(stopped)) from None
        signal.raise_signal(stopped.number)  # by default SIGTERM ends the process
        raise
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        logger.setLevel(before[2])
