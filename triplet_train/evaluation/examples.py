"""Examples to evaluate: vectors with their labels, groups and roles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triplet_train.data.columns import GALLERY, GROUP, QUERY, ROLES, roles_of
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError

Table = ImageTable | EmbeddingTable


@dataclass(frozen=True)
class Examples:
    """Vectors, and what their part in an evaluation depends on.

    Attributes:
        vectors: [N, D], of any length. [N, 0] is enough for a `Protocol`.
        labels: int64 [N]; -1 for an example without a label, which is never a query.
        groups: int64 [N]; -1 for an example without a group. The same number means the same group
            in queries and gallery.
        is_query, is_gallery: bool [N], the roles.
    """

    vectors: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    is_query: np.ndarray
    is_gallery: np.ndarray


def make_examples(
    vectors: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    is_query: np.ndarray | None = None,
    is_gallery: np.ndarray | None = None,
) -> Examples:
    """Return examples that, by default, have no groups and are both queries and gallery."""
    labels = np.asarray(labels)
    everywhere = np.ones(len(labels), bool)
    return Examples(
        vectors,
        labels,
        np.full(len(labels), -1) if groups is None else groups,
        everywhere if is_query is None else is_query,
        everywhere if is_gallery is None else is_gallery,
    )


def examples_of(tables: Sequence[Table]) -> list[Examples]:
    """Return the examples of tables whose labels mean the same classes.

    Groups are those of the column `group`, and are the same in all tables if their names are. Roles
    are those of the column `role`. Images, which have no vectors yet, give vectors [N, 0].

    Raises:
        RequestError: a role is none of `data.columns.ROLES`.
    """
    return [
        make_examples(_vectors(table), table.labels, groups, *_roles(table))
        for table, groups in zip(tables, _groups(tables), strict=True)
    ]


def _vectors(table: Table) -> np.ndarray:
    return table.embeddings if isinstance(table, EmbeddingTable) else np.empty((len(table), 0))


def _groups(tables: Sequence[Table]) -> list[np.ndarray]:
    """Numbers of the groups of each table."""
    texts = [
        np.array([text or "" for text in table.columns[GROUP].to_pylist()], np.str_)
        if GROUP in table.columns
        else np.full(len(table.labels), "")
        for table in tables
    ]
    names, numbers = np.unique(np.concatenate(texts), return_inverse=True)
    if len(names) and not names[0]:  # the empty text, which is no group, is sorted first
        numbers = numbers - 1
    return np.split(numbers, np.cumsum([len(part) for part in texts])[:-1])


def _roles(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """True for queries, and true for images of the gallery."""
    roles = roles_of(table.columns, len(table.labels))
    for role in set(roles).difference(ROLES):
        raise RequestError(f"the role of an image is {role!r}; roles are {', '.join(ROLES)}")
    return roles != GALLERY, roles != QUERY
