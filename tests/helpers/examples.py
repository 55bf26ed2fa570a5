"""Examples of arrays."""

from triplet_train.evaluation import Examples, make_examples


def examples(vectors, labels, *gallery) -> list[Examples]:
    """Queries, and a gallery if its vectors and labels are given."""
    return [make_examples(vectors, labels), *([make_examples(*gallery)] if gallery else [])]
