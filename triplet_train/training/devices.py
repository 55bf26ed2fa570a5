"""On what a run trains: one device, all of this machine, or several machines."""

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
_REMEDY = "train.microbatch bounds what the tower takes, whatever the batch"  # out of memory


# Of an operation that a device or XLA has not.
NOT_COMPILED = (
    tf.errors.InternalError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)


@dataclass(frozen=True)
class Devices:
    """Replicas of the tower, each with its share of every batch.

    Attributes:
        distribution: TensorFlow's engine for them; make variables in its `scope()`.
        replicas: how many there are in all processes.
        workers: how many processes there are.
        chief: whether this process is the one that writes.
        description: for people.
    """

    distribution: tf.distribute.Strategy
    replicas: int
    workers: int
    chief: bool
    description: str

    def batches(self, shares_of: Callable[[range], tf.data.Dataset]) -> Iterator[Any]:
        """What the replicas of this process take from the data set that `shares_of` makes.

        It is given the numbers of these replicas, and its elements go to them in turn.
        """

        def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
            each = context.num_replicas_in_sync // context.num_input_pipelines
            first = context.input_pipeline_id * each
            return shares_of(range(first, first + each))

        return iter(self.distribution.distribute_datasets_from_function(local))

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` on every replica; what the first of this process returns."""
        returned = self.distribution.run(function, arguments)
        return tf.nest.map_structure(
            lambda value: self.distribution.experimental_local_results(value)[0], returned
        )

    @property
    def one_gpu(self) -> bool:
        """True if one GPU, and nothing else, trains."""
        return self.replicas == 1 and bool(tf.config.list_logical_devices("GPU"))

    def same_everywhere(self, number: float) -> bool:
        """Whether all workers, each of which has to ask, give the same number."""
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

    @contextmanager
    def failures_explained(self, remedy: Callable[[], str] = lambda: _REMEDY) -> Iterator[None]:
        """Raises RunError where a device runs out of memory or another worker is lost.

        Or of a file, where TensorFlow calls a full disk or too many open files exhausted too; or
        where an operation has no deterministic form, or none that XLA compiles.

        Args:
            remedy: says what to do where memory is short.
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
                    f"{self.description} cannot compute this with train.deterministic: "
                    f"{first_line(error)}. Start the run again without it"
                ) from error
            if not _is_of_xla(error):
                raise
            raise RunError(
                f"train.jit_compile: XLA cannot compile the step: {first_line(error)}. "
                "With auto it is made without XLA where that is so"
            ) from error
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            if self.workers == 1:
                raise
            raise RunError(
                "another worker was lost; start all of them again, with --resume if a step was done"
            ) from error


def _is_of_xla(error: tf.errors.OpError) -> bool:
    words = "unsupported operations when trying to compile", "xla"
    return any(each in error.message.lower() for each in words)


def _is_of_a_file(error: tf.errors.ResourceExhaustedError) -> bool:
    """True if its message is `file; cause`, the cause being one of the system's."""
    causes = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
    return any(f"; {os.strerror(cause)}" in error.message for cause in causes)


def choose_devices(config: Config, console: Console = SILENT) -> Devices:
    """The devices that `train.devices` asks for. Comes before any other use of TensorFlow's
    runtime, which cannot join a cluster later; waits for the other workers of one.

    Args:
        console: names what is waited for.

    Raises:
        RequestError: TF_CONFIG is missing or wrong, another worker has another configuration, the
            devices cannot share a batch equally, or XLA is asked for on several.
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
    """`train.devices`, or what `auto` means here."""
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
    """Each worker takes the loss by itself: with another margin it would train another tower."""
    same = config.model_dump_json(exclude={"data": {"data_dir"}})
    if not devices.same_everywhere(zlib.crc32(same.encode())):
        raise RequestError("another worker was started with another configuration")


def _place_in_cluster() -> tuple[bool, int]:
    """Whether this process is the chief, and how many workers there are."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise RequestError(
            "train.devices: multi_worker needs the environment variable TF_CONFIG, the same in "
            f"every process but for the index, as in TF_CONFIG='{_EXAMPLE}'"
        )
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        addresses = cluster[task["type"]]
        workers = len(cluster.get("chief", [])) + len(cluster["worker"])
        here = addresses[int(task["index"])]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise RequestError(
            f"TF_CONFIG does not describe this process's place in a cluster "
            f"({type(error).__name__}: {error}); expected as in {_EXAMPLE}, received {text}"
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
            f"train.microbatch: the {share} images on each of {replicas} devices do not divide "
            f"into equal parts of {train.microbatch}"
        )
    if not _takes_microbatches(config, replicas) and (train.microbatch or share) < share:
        raise RequestError(
            "train.microbatch: with batch normalisation, whose statistics are of all devices, only "
            "on one device; leave out train.microbatch, or take a tower without (a cnn without "
            "model.batch_norm, ConvNeXt, VGG)"
        )
    if train.jit_compile is True and replicas > 1:
        raise RequestError("train.jit_compile: XLA compiles for one device; leave it out for more")


def _takes_microbatches(config: Config, replicas: int) -> bool:
    """False where batch normalisation takes its statistics over several devices."""
    model = config.model
    return replicas == 1 or model.freeze_backbone or not model.batch_norm


def fewer_at_a_time(config: Config, replicas: int) -> str:
    """The batch for which there was not enough memory, and what may fit, for a message.

    That is the largest divisor of a replica's images up to half of those in the tower.
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
        f"The tower had {part} of the {size} images of a batch at a time{each}. Start again with "
        f"{change}"
    )


def gpu_names() -> list[str]:
    """Return the names of all GPUs."""
    gpus = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [details.get("device_name", "unknown") for details in gpus]


def gpu_memory() -> int:
    """Bytes of the first GPU that TensorFlow may take; 0 where there is none."""
    from tensorflow.python.client import device_lib  # no public function tells

    found = [each for each in device_lib.list_local_devices() if each.device_type == "GPU"]
    return int(found[0].memory_limit) if found else 0


def _logical_devices() -> list[tf.config.LogicalDevice]:
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def _name_of_device() -> str:
    """What the GPU calls itself, with CPU where there is none."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores)"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
