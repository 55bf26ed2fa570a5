"""triplet-embed: the embeddings of a split, in a file that explains itself."""

from pathlib import Path

from triplet_train.embeddings.files import write_table
from triplet_train.jobs.tower_source import open_tower


def embed(
    checkpoint: Path,
    output: Path,
    format: str,
    *,
    split: str | None,
    batch_size: int,
    quiet: bool,
    **wanted: str | None,
) -> tuple[int, int]:
    """Write the embeddings of `split` to `output`; rows and dimensions of what was written.

    `wanted` and what is raised are those of `open_tower`.
    """
    opened = open_tower(checkpoint, **wanted)
    table = opened.table(split or opened.default_split, batch_size=batch_size, quiet=quiet)
    write_table(table, output, format)
    rows, width = table.embeddings.shape
    return rows, width
