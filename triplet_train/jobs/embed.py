"""triplet-embed: the embeddings of a split, in a file that explains itself."""

from pathlib import Path

from triplet_train.embeddings.files import write_table
from triplet_train.jobs.tower_source import open_tower


def embed(
    checkpoint: Path,
    output: Path,
    format: str,
    *,
    split: str,
    dataset: str | None = None,
    data_dir: str | None = None,
    batch_size: int = 512,
    quiet: bool = False,
) -> tuple[int, int]:
    """Write the embeddings of `split` to `output`; rows and dimensions of what was written.

    Raises:
        RequestError: see `open_tower`, and where the set has no such split.
    """
    table = open_tower(checkpoint, dataset, data_dir).table(
        split, batch_size=batch_size, quiet=quiet
    )
    write_table(table, output, format)
    rows, width = table.embeddings.shape
    return rows, width
