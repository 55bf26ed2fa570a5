"""A summary of a split for the user."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.data.caching import budget
from triplet_train.data.columns import GALLERY, GROUP, QUERY, ROLE, distractors, roles_of
from triplet_train.data.images import ImageTable, SizeOf
from triplet_train.errors import RunError

_LOOKED_AT = 2_000  # images whose size is looked up
_GIB = 2**30
_HANDLED = {
    "deep": "have more than 8 bits: each is scaled by the 8, 12 or 16 bits that its levels use",
    "transparent": "have transparency: they are shown on data.background",
}


def summary(table: ImageTable, data: DataConfig, held: bool) -> Iterator[str]:
    """Yield lines about classes, sizes of images and memory. Decodes no image.

    Args:
        held: the images will be held in memory.
    """
    labels, counts = np.unique(table.labels[table.labels >= 0], return_counts=True)
    if not len(labels):
        yield f"{len(table):,} images without a label"
        return
    least, most = counts.argmin(), counts.argmax()
    names = [table.class_names.get(labels[which], labels[which]) for which in (least, most)]
    sizes = (
        f"{counts[least]:,} of each"
        if counts[least] == counts[most]
        else f"from {counts[least]:,} ({names[0]}) to {counts[most]:,} ({names[1]})"
    )
    yield f"{len(table):,} images of {len(labels):,} classes, {sizes}"
    yield from _roles(table)
    yield from _sizes(table, table.size_of) if table.size_of else ()
    kept = "held in memory" if held else "read from disk as they are needed"
    yield (
        f"{_amount(table.bytes)} decoded, {kept} (data.cache: {data.cache}, "
        f"{_amount(budget(data))})"
    )
    yield from table.notes


def _roles(table: ImageTable) -> Iterator[str]:
    """Yield a line about queries, gallery, distractors and groups, if any are known."""
    facts = []
    if ROLE in table.columns:
        roles, labelled = roles_of(table.columns, len(table)), table.labels >= 0
        queries = int((labelled & (roles != GALLERY)).sum())
        facts = [f"{queries:,} queries", f"{int((roles != QUERY).sum()):,} in the gallery"]
        if others := int(distractors(table.labels, table.columns).sum()):
            facts.append(f"{others:,} of these distractors")
    if GROUP in table.columns:
        groups = set(table.columns[GROUP].to_pylist()) - {""}
        facts.append(f"{len(groups):,} groups")
    if facts:
        yield ", ".join(facts)


def _sizes(table: ImageTable, size_of: SizeOf) -> Iterator[str]:
    """Yield lines about the sizes of some evenly spaced images, and about unreadable ones."""
    rows = np.unique(np.linspace(0, len(table) - 1, _LOOKED_AT).astype(int))
    sizes, kinds, failures = [], Counter[str](), []
    for row in rows.tolist():
        try:
            height, width, kind = size_of(row)
            sizes.append((height, width))
            kinds[kind] += 1
        except RunError as error:
            failures.append(str(error))
    looked_at = "" if len(rows) == len(table) else f" ({len(rows):,} of them looked at)"
    if sizes:
        small, large = (" x ".join(map(str, pick(sizes, key=math.prod))) for pick in (min, max))
        stored = small if small == large else f"from {small} to {large}"
        shape = " x ".join(map(str, table.image_shape))
        yield f"stored as {stored}{looked_at}, read as {shape}"
    for kind, handled in _HANDLED.items():
        if kinds[kind]:
            yield f"{kinds[kind]:,} images {handled}{looked_at}"
    yield from (f"cannot be read: {failure}" for failure in failures[:5])
    if len(failures) > 5:
        yield f"cannot be read: {len(failures) - 5:,} more{looked_at}"


def _amount(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB / 10 else f"{size / 2**20:.1f} MiB"
