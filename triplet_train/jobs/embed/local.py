"""triplet-embed on this machine."""

from pathlib import Path
from typing import Any

from triplet_train.console import Console
from triplet_train.data.contents import with_contents
from triplet_train.data.images import ImageTable, selected, shard_of
from triplet_train.data.same_files import in_two_classes
from triplet_train.data.unsplit_folder import root_of
from triplet_train.embeddings.origin import Origin
from triplet_train.errors import RunError
from triplet_train.jobs.embed.request import EmbedRequest
from triplet_train.jobs.embed.skipping import not_stored
from triplet_train.jobs.open_tower import OpenTower, open_tower


def embed(request: EmbedRequest, console: Console) -> tuple[int, int]:
    """Write the embeddings of a request; see `write`."""
    return write(request, request.file, request.part, console)


def write(
    request: EmbedRequest, file: Path, shard: tuple[int, int] | None, console: Console
) -> tuple[int, int]:
    """Write embeddings to a file, or a folder. Memory is that of a few batches.

    Args:
        shard: (i, n) writes the part i of n only.

    Returns:
        Number of vectors and their dimensions.

    Raises:
        RequestError: see `OpenTower`, `unsplit_images` and `not_stored`.
        RunError: images cannot be read. The others are written all the same, unless the request is
            strict.
    """
    opened = open_tower(request.checkpoint, any_model=request.any_model)
    first = not shard or shard[0] == 1
    images, notes = _images(request, opened, console, compare=first)
    console = console if first else console.muted()  # only the first shard prints lines
    for note in notes:
        console.say(note)
    about: dict[str, Any] = {"flip": True} if request.flip else {}
    if request.dtype != "float32":
        about["dtype"] = request.dtype
    if request.skip is not None:
        origin = Origin(opened.metadata(images) | about, opened.tower.output_shape[-1])
        rows = not_stored(images, request.skip, opened.file, origin, console)
        images = selected(images, rows)
    if shard:
        about |= {"shard": list(shard), "shards_of": images.fingerprint()}
        images = shard_of(images, *shard)
        file.parent.mkdir(exist_ok=True)  # the folder of all shards
    if request.content or request.skip:
        images = with_contents(images, console)
    count = 0
    with opened.writing({file: request.written_format}, images, **about) as append:
        tables = opened.tables(images, console, batch_size=request.batch_size, flip=request.flip)
        for table in tables:
            append(table)
            count += len(table.ids)
        if images.unreadable and not count and not shard:
            raise _unread(images, "none of the images can be read")
    if images.unreadable:
        raise _unread(
            images,
            f"{len(images.unreadable):,} of {len(images):,} images cannot be read and are not "
            f"among the {count:,} in {file}",
        )
    return count, opened.tower.output_shape[-1]


def _images(
    request: EmbedRequest, opened: OpenTower, console: Console, *, compare: bool
) -> tuple[ImageTable, list[str]]:
    """Return the images with lines about them; `compare` looks for files in two classes."""
    if request.images is None:
        source, table = opened.split(request, console)
        doubles = source.in_two_classes([table.split]) if compare else []
    else:
        table = opened.unsplit(request.images, strict=request.strict)
        names = [table.class_names[label] for label in table.labels.tolist()]
        classes = {path: name for path, name in zip(table.ids, names, strict=True) if name}
        root = root_of(request.images, opened.config.data if opened.config else None)
        doubles = in_two_classes(root, classes, console) if compare else []
    return table, [*table.notes, *doubles]


def _unread(images: ImageTable, summary: str) -> RunError:
    return RunError("\n  ".join([f"{summary}:", *(images.unreadable or [])]))
