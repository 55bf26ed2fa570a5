"""triplet-embed: the embeddings of a split or a folder, in a file that explains itself."""

from functools import partial
from pathlib import Path

from triplet_train.console import Console
from triplet_train.data.any_folder import any_folder
from triplet_train.data.classes import judged_rows
from triplet_train.data.images import shard_of
from triplet_train.data.same_files import in_two_classes
from triplet_train.embeddings.files import writing
from triplet_train.errors import RunError
from triplet_train.jobs.open_tower import open_tower
from triplet_train.registry import FORMATS


def embed(
    checkpoint: Path,
    output: Path,
    format: str,
    console: Console,
    *,
    images: Path | None = None,
    split: str | None = None,
    shard: tuple[int, int] | None = None,
    batch_size: int | None = None,
    strict: bool = False,
    any_model: bool = False,
    **wanted: str | None,
) -> tuple[int, int]:
    """Write embeddings to `output`; rows and dimensions of what was written.

    Memory is that of a few batches, whatever the number of rows.

    Args:
        images: a folder to take the images from, instead of a split.
        shard: (i, n): the ith of n equal parts of the rows only.
        batch_size: as in `OpenTower.tables`.
        strict: raise at the first image that cannot be read, and write nothing.
        any_model: as in `OpenTower`.
        wanted: as in `OpenTower.source`, which also says what is raised.

    Raises:
        RunError: images cannot be read. Those that can are written all the same, unless `strict`.
    """
    opened = open_tower(checkpoint, any_model=any_model)
    part = shard or (1, 1)
    if images is not None:
        shape = opened.tower.input_shape[1:]
        policy = opened.config.data.resize_policy if opened.config else "pad"
        table = any_folder(images, shape, policy, strict=strict)
        labelled = {
            id_: table.class_names[label]
            for id_, label in zip(table.ids, table.labels.tolist(), strict=True)
            if label >= 0
        }
        doubles = partial(in_two_classes, images, labelled, console)
    else:
        source = opened.source(console, **wanted)
        split = opened.default_split(source) if split is None else split
        table = judged_rows(source.table(split), source.data)
        doubles = partial(source.in_two_classes, [split])
    if part[0] > 1:
        console = console.muted()  # the first shard speaks for all
    else:
        for note in (*table.notes, *doubles()):
            console.say(note)
    metadata = opened.metadata(table)
    if shard:
        metadata |= {"shard": list(shard), "shards_of": table.fingerprint()}
        table = shard_of(table, *shard)
    width = opened.tower.output_shape[-1]
    written = 0
    if shard:
        output.parent.mkdir(exist_ok=True)  # of all shards
    tables = opened.tables(
        table, console, batch_size=batch_size, with_images=FORMATS[format].with_images
    )
    with writing(output, format, width, metadata) as append:
        for some in tables:
            append(some)
            written += len(some.ids)
        if table.unreadable and not written and not shard:
            raise RunError(_list(table.unreadable, "none of the images can be read"))
    if table.unreadable:
        raise RunError(
            _list(
                table.unreadable,
                f"{len(table.unreadable):,} of {len(table):,} images cannot be read and are not "
                f"among the {written:,} in {output}",
            )
        )
    return written, width


def _list(lines: list[str], summary: str) -> str:
    return "\n  ".join([f"{summary}:", *lines])
