"""The steps of an export: convert, load, compare, and only then give it its name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from triplet_train import __version__
from triplet_train.console import Console
from triplet_train.data.conversion import WHITE
from triplet_train.data.images import ImageTable
from triplet_train.errors import RunError
from triplet_train.evaluation import examples_of, make_protocol, retrieval_metrics
from triplet_train.exports.encoded_images import make_decode_bytes
from triplet_train.exports.exported import ExportedTower, Options
from triplet_train.exports.files import read_export, write_export
from triplet_train.exports.network import exported_network
from triplet_train.files import replacing, sha256
from triplet_train.jobs.export.request import ExportRequest
from triplet_train.jobs.export.samples import Samples, exported_images, take_samples
from triplet_train.jobs.open_tower import OpenTower, open_tower
from triplet_train.registry import EXPORTS

_MOST = 1e-4  # difference of a float32 vector from that of the tower, in any dimension
_LEVELS = 2  # difference of a pixel; each of two passes of resizing may round another way
_AT_ONCE = (1, 7)
_CHECKED, _CALIBRATED = 28, 256  # images


def export(request: ExportRequest, console: Console) -> list[str]:
    """Write the tower of a run to `request.output`, and check it.

    Returns:
        Lines for the user: what was written, and how far it differs from the tower.

    Raises:
        RequestError: see `OpenTower`, `exported_images` and `make_decode_bytes`.
        RunError: the tower cannot be converted, or the export differs from it; then nothing is left
            under the name of the output.
    """
    # A GPU would round what it multiplies to 11 bits, and differ from the export by that.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    opened = open_tower(request.checkpoint, any_model=True)
    images = exported_images(request, opened, console)
    calibrated = request.quantize == "int8"
    most = _CALIBRATED if calibrated else _CHECKED
    samples = take_samples(images, most, request.images, opened, console)
    network = exported_network(opened.tower)
    plain = replace(opened, tower=network)
    options = Options(
        _about(opened, request.quantize), request.quantize, samples.pixels, _decode(request, opened)
    )
    checked = samples.pixels[:: max(1, len(samples.pixels) // _CHECKED)][:_CHECKED]
    expected = np.asarray(network(checked))
    with replacing(request.output) as beside:
        write_export(network, beside, request.format, options)
        exported = read_export(beside, request.format)
        lines = [_summary(request, beside, exported)]
        found = largest_difference(exported.run, checked, expected)
        told = f"{found:.1e} ({len(checked)} images, one and seven at a time)"
        if request.quantize is None and not found <= _MOST:
            raise RunError(
                f"the vectors of the export differ from those of the tower by {told}, more than "
                f"{_MOST:g}; nothing was written to {request.output}"
            )
        lines.append(f"largest difference from the tower: {told}")
        if options.decode:
            lines.append(_compared_files(exported, options.decode, samples))
        if request.quantize:
            written = replace(opened, tower=exported)
            lines.append(_cost(plain, written, images, request.quantize, console))
    precision = opened.config.train.precision if opened.config else "float32"
    if precision != "float32":
        mixed = np.abs(np.asarray(opened.tower(checked)) - expected).max()
        lines.append(f"difference of float32 from the {precision} of the run: {mixed:.1e}")
    return lines


def _about(opened: OpenTower, quantize: str | None) -> dict[str, Any]:
    return {
        "triplet_train": __version__,
        "checkpoint_sha256": sha256(opened.file),
        "image_shape": list(opened.tower.input_shape[1:]),
        "dimensions": opened.tower.output_shape[-1],
        "quantize": quantize,
        "classes": opened.classes,
        "config": opened.config.model_dump(mode="json") if opened.config else None,
    }


def _decode(request: ExportRequest, opened: OpenTower) -> Callable[[tf.Tensor], tf.Tensor] | None:
    if request.input != "bytes":
        return None
    data = opened.config.data if opened.config else None
    policy, background = (data.resize_policy, data.background) if data else ("pad", WHITE)
    return make_decode_bytes(opened.tower.input_shape[1:], policy, background)


def _summary(request: ExportRequest, written: Path, exported: ExportedTower) -> str:
    files = [path for path in (written, *written.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    shape = ", ".join(map(str, exported.input_shape[1:]))
    taken = "image files" if request.input == "bytes" else f"uint8 [N, {shape}]"
    meaning = EXPORTS[request.format].meaning
    return (
        f"{request.output}: {meaning}; {taken} -> float32 [N, {exported.output_shape[1]}], "
        f"{size:,} bytes"
    )


def largest_difference(
    run: Callable[[np.ndarray], np.ndarray], images: np.ndarray, expected: np.ndarray
) -> float:
    """Return the largest difference of a vector in any dimension, one and seven images at a time.

    Args:
        run: uint8 [n, H, W, C] -> float32 [n, D].
        images: uint8 [N, H, W, C].
        expected: float32 [N, D].

    Returns:
        A number; NaN if a vector is not finite.
    """
    differences = [
        np.abs(run(images[at : at + size]) - expected[at : at + size]).max()
        for size in _AT_ONCE
        for at in range(0, len(images), size)
    ]
    return float(np.max(differences))


def _compared_files(
    exported: ExportedTower, decode: Callable[[tf.Tensor], tf.Tensor], samples: Samples
) -> str:
    """Compare the decoding of files within the export with that of `triplet-embed`.

    Raises:
        RunError: a file is decoded to other pixels, or its vector is not that of its pixels.
    """
    assert exported.run_files
    decoded = _decoded(decode, samples)
    levels = np.abs(decoded.astype(int) - samples.pixels).max(axis=(1, 2, 3))
    worst = int(levels.argmax())
    if levels[worst] > _LEVELS:
        raise RunError(
            f"the export decodes {samples.names[worst]} to pixels that differ from those of "
            f"triplet-embed by {levels[worst]} levels of 255; give other images with --images to "
            "export all the same"
        )
    from_files, from_pixels = exported.run_files(samples.files), exported.run(decoded)
    if not np.abs(from_files - from_pixels).max() <= _MOST:
        raise RunError("the vectors of files differ from those of their pixels")
    difference = np.abs(from_files - exported.run(samples.pixels)).max()
    return (
        f"largest difference of a file from triplet-embed: {difference:.1e} ({len(samples.files)} "
        f"files, pixels differ by {levels[worst]} of 255 levels at most)"
    )


def _decoded(decode: Callable[[tf.Tensor], tf.Tensor], samples: Samples) -> np.ndarray:
    decoded = []
    for name, file in zip(samples.names, samples.files, strict=True):
        try:
            decoded.append(decode(tf.constant(file)).numpy())
        except tf.errors.InvalidArgumentError as error:
            reason = str(error).split("\n\t")[0].split("\n")[-1]
            raise RunError(f"the export cannot decode {name}: {reason}") from error
    return np.stack(decoded)


def _cost(
    plain: OpenTower, exported: OpenTower, images: ImageTable, type: str, console: Console
) -> str:
    """Return a line with recall_at_1 before and after quantization."""
    recalls: list[float] = []
    what = f"recall_at_1 of {images.split or images.name}"
    for tower in (plain, exported):
        (examples,) = examples_of([tower.table(images, console)])
        obstacle = make_protocol(examples).obstacle
        if obstacle:
            return f"{what}: not measured, since {obstacle}"
        recalls.append(retrieval_metrics(examples)["recall_at_1"])
    before, after = recalls
    return (
        f"{what} ({len(images):,} images): {before:.4f} in float32, {after:.4f} in {type} "
        f"({after - before:+.4f})"
    )
