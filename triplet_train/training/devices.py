"""Devices that train a run: one device, all devices of this machine, or those of several."""

import errno
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from triplet_train.config import Config
from triplet_train.config.schema import largest_divisor
from triplet_train.console import SILENT, Console
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

_EXAMPLE = (
    '{"cluster": {"worker": ["host1:9000", "host2:9000"]}, "task": {"type": "worker", "index": 0}}'
)
_REMEDY = "train.microbatch limits the images in the tower, whatever the size of the batch"


# Raised for an operation that a device or XLA does not support.
NOT_COMPILED = (
    tf.errors.InternalError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)


@dataclass(frozen=True)
class Devices:
    """Replicas of the tower, each with an equal share of every batch.

    Attributes:
        distribution: TensorFlow's strategy; variables are made in its `scope()`.
        replicas: number of replicas in all processes.
        workers: number of processes.
        chief: True in the process that evaluates and writes.
        description: names of the devices, for messages.
    """

    distribution: tf.distribute.Strategy
    replicas: int
    workers: int
    chief: bool
    description: str

    def batches(self, shares_of: Callable[[range], tf.data.Dataset]) -> Iterator[Any]:
        """Return an iterator over the batches of the replicas of this process.

        Args:
            shares_of: makes a data set for the replicas with these numbers, whose elements go to
                them in turn.
        """

        def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
            each = context.num_replicas_in_sync // context.num_input_pipelines
            first = context.input_pipeline_id * each
            return shares_of(range(first, first + each))

        return iter(self.distribution.distribute_datasets_from_function(local))

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` on every replica. Return the result of the first of this process."""
        returned = self.distribution.run(function, arguments)
        return tf.nest.map_structure(
            lambda value: self.distribution.experimental_local_results(value)[0], returned
        )

    @property
    def one_gpu(self) -> bool:
        """True if one GPU, and nothing else, trains."""
        return self.replicas == 1 and bool(tf.config.list_logical_devices("GPU"))

    def same_everywhere(self, number: float) -> bool:
        """Return True if all workers call this with the same number."""
        if self.workers == 1:
            return True

        @tf.function(autograph=False)
        def gather() -> tf.Tensor:
            def on_replica() -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                own = tf.one_hot(
                    context.replica_id_in_sync_group, self.replicas, number, 0, dtype=tf.float64
                )
                return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

            return self.run(on_replica)

        return bool((gather().numpy() == number).all())

    def any_worker(self, flag: bool) -> bool:
        """Return True if a worker calls this with True; all workers have to call it."""
        same = self.same_everywhere(flag)
        return flag or not same

    @contextmanager
    def failures_explained(self, remedy: Callable[[], str] = lambda: _REMEDY) -> Iterator[None]:
        """Raise RunError with an explanation in place of an error of TensorFlow.

        Explained are a lack of memory, a full disk or too many open files, a lost worker, and an
        operation that has no deterministic implementation or that XLA cannot compile.

        Args:
            remedy: returns advice on a lack of memory.
        """
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            if _is_of_a_file(error):
                raise RunError(first_line(error)) from error
            raise RunError(
                f"not enough memory on {self.description}: {first_line(error)}. {remedy()}"
            ) from error
        except NOT_COMPILED as error:
            if "determinis" in error.message.lower():
                raise RunError(
                    "train.deterministic: an operation has no deterministic implementation on "
                    f"{self.description}: {first_line(error).rstrip('.')}. Start the run again "
                    "with train.deterministic: false"
                ) from error
            if not _is_of_xla(error):
                raise
            raise RunError(
                f"train.jit_compile: XLA cannot compile the step: {first_line(error)}. "
                "Set train.jit_compile: auto to train without XLA"
            ) from error
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            if self.workers == 1:
                raise
            raise RunError(
                "the connection to another worker was lost; start all workers again, with "
                "--resume if the run has a checkpoint"
            ) from error


def _is_of_xla(error: tf.errors.OpError) -> bool:
    words = "unsupported operations when trying to compile", "xla"
    return any(each in error.message.lower() for each in words)


def _is_of_a_file(error: tf.errors.ResourceExhaustedError) -> bool:
    """Return True if its message is `file; cause` with a cause of the operating system."""
    causes = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
    return any(f"; {os.strerror(cause)}" in error.message for cause in causes)


def choose_devices(config: Config, console: Console = SILENT) -> Devices:
    """Return the devices that `train.devices` asks for, after all workers have started.

    TensorFlow's runtime must not have been used before, since it cannot join a cluster later.

    Args:
        console: for a line before waiting.

    Raises:
        RequestError: TF_CONFIG is missing or wrong, another worker has another configuration, the
            devices cannot share a batch equally, or several devices are to use XLA.
    """
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()
    asked = kind_of_devices(config)
    if asked == "multi_worker":
        chief, workers = _place_in_cluster()
        console.say(f"waiting for all of {workers} workers")
        devices = _multi_worker(chief, workers)
        _require_same_configuration(config, devices)
    elif asked == "mirrored":
        names = [device.name for device in _logical_devices()]
        distribution = tf.distribute.MirroredStrategy(names)
        description = f"{len(names)} x {_name_of_device()}, mirrored"
        devices = Devices(distribution, len(names), 1, True, description)
    else:
        alone = tf.distribute.get_strategy()
        devices = Devices(alone, 1, 1, True, _name_of_device())
    _require_equal_shares(config, devices.replicas)
    return devices


def kind_of_devices(config: Config) -> str:
    """Return `train.devices`, with `auto` resolved."""
    asked = config.train.devices
    if asked == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        asked = "multi_worker" if "TF_CONFIG" in os.environ else "mirrored" if several else "one"
    return asked


def _multi_worker(chief: bool, workers: int) -> Devices:
    distribution = tf.distribute.MultiWorkerMirroredStrategy()
    replicas = distribution.num_replicas_in_sync
    description = f"{workers} workers with {replicas // workers} x {_name_of_device()} each"
    return Devices(distribution, replicas, workers, chief, description)


def _require_same_configuration(config: Config, devices: Devices) -> None:
    """Raise RequestError if the workers have different configurations.

    Each worker computes the loss of the whole batch, and all must compute the same.
    """
    same = config.model_dump_json(exclude={"data": {"data_dir"}})
    if not devices.same_everywhere(zlib.crc32(same.encode())):
        raise RequestError(
            "another worker was started with another configuration; start all workers with the "
            "same one"
        )


def _place_in_cluster() -> tuple[bool, int]:
    """Return True for the chief, and the number of workers."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise RequestError(
            "train.devices: multi_worker needs the environment variable TF_CONFIG, the same in "
            f"every process except the index, as in TF_CONFIG='{_EXAMPLE}'"
        )
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        addresses = cluster[task["type"]]
        workers = len(cluster.get("chief", [])) + len(cluster["worker"])
        here = addresses[int(task["index"])]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise RequestError(
            "TF_CONFIG does not say which worker of a cluster this process is "
            f"({type(error).__name__}: {error}); expected a value such as {_EXAMPLE}, received "
            f"{text}"
        ) from error
    first = cluster.get("chief") or cluster["worker"]
    return here == first[0], workers


def _require_equal_shares(config: Config, replicas: int) -> None:
    batch, train = config.batch, config.train
    if batch.size % replicas:
        raise RequestError(
            f"train.devices: {replicas} devices cannot share the {batch.classes} x "
            f"{batch.per_class} = {batch.size} images of a batch equally; change batch.classes or "
            "batch.per_class"
        )
    share = batch.size // replicas
    if train.microbatch and share % min(train.microbatch, share):
        raise RequestError(
            f"train.microbatch: {train.microbatch} does not divide the {share} images on each of "
            f"{replicas} devices; the next smaller divisor is "
            f"{largest_divisor(share, train.microbatch)}"
        )
    if not _takes_microbatches(config, replicas) and (train.microbatch or share) < share:
        raise RequestError(
            "train.microbatch: several devices share the statistics of batch normalisation, which "
            "excludes microbatches; leave out train.microbatch, set model.freeze_batch_norm, or "
            "choose a tower without batch normalisation (cnn with model.batch_norm: false, "
            "ConvNeXt, VGG)"
        )
    if train.jit_compile is True and replicas > 1:
        raise RequestError(
            "train.jit_compile: true needs a single device; set train.jit_compile: auto, or "
            "train.devices: one"
        )


def _takes_microbatches(config: Config, replicas: int) -> bool:
    """Return False if batch normalisation computes its statistics over several devices."""
    model = config.model
    at_rest = model.freeze_backbone is True or model.freeze_batch_norm
    return replicas == 1 or at_rest or not model.batch_norm


def fewer_at_a_time(config: Config, replicas: int) -> str:
    """Return sentences for messages: the batch that was too large, and a size that may fit.

    The proposed microbatch is the largest divisor of a replica's images up to half of those that
    were in the tower.
    """
    size = config.batch.size
    share = size // replicas
    part = min(config.train.microbatch or share, share)
    each = f" on each of {replicas} devices" if replicas > 1 else ""
    if part > 1 and _takes_microbatches(config, replicas):
        half = largest_divisor(share, part // 2)
        change = f"train.microbatch: {half} (the largest divisor up to half of that)"
    else:
        change = "a smaller batch.per_class or batch.classes"
    return (
        f"{part} of the {size} images of a batch were in the tower at a time{each}. Start again "
        f"with {change}"
    )


def gpu_names() -> list[str]:
    """Return the names of all GPUs."""
    gpus = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [details.get("device_name", "unknown") for details in gpus]


def gpu_memory() -> int:
    """Return the bytes that TensorFlow may use on the first GPU; 0 without a GPU."""
    from tensorflow.python.client import device_lib  # there is no public function

    found = [each for each in device_lib.list_local_devices() if each.device_type == "GPU"]
    return int(found[0].memory_limit) if found else 0


def _logical_devices() -> list[tf.config.LogicalDevice]:
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def _name_of_device() -> str:
    """Return the name of the first GPU, or the CPU with its cores."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores)"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
