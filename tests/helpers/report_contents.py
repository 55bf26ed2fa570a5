"""Contents of reports, made up."""

from dataclasses import replace

import numpy as np

from tests.helpers.examples import examples
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation import METRICS, evaluate
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.report.contents import Contents

HOSTILE = {
    0: "<script>alert(1)</script>",
    1: "$x_1^2$ & \\frac{1}{0}",
    2: "",
    3: "漢字 ネコ",
    4: "a name that is far longer than any plot has room for, and then some more",
    5: "tab\tand\nnew line",
    6: "\udcff not Unicode",
    7: "\"quoted\" 'name'",
}
LOG = [
    {"step": 5, "loss": 0.9, "active_fraction": 1.0, "positive_distance": 0.8}
    | {"negative_distance": 0.9, "embedding_spread": 0.5, "gradient_norm": 2.0}
    | {"learning_rate": 0.001},
    {"step": 10, "loss": 0.4, "active_fraction": 0.5, "positive_distance": 0.5}
    | {"negative_distance": 1.2, "embedding_spread": 0.9, "gradient_norm": None}
    | {"learning_rate": 0.0},
    {"step": 10, "split": "test", "recall_at_1": 0.9, "map_at_r": 0.8},
]


def table(vectors, labels) -> EmbeddingTable:
    ids = [f"file__{row}" for row in range(len(labels))]
    return EmbeddingTable(vectors, labels, [str(label) for label in labels], ids, {})


def evaluated(vectors, labels, *gallery, **changes) -> TableEvaluation:
    """Evaluation of made vectors; of a gallery too, if there is one."""
    metrics = changes.pop("metrics", METRICS)
    about = {"data set": "made up", "checkpoint": "runs/" + 60 * "long" + "/embedder.keras"}
    return TableEvaluation(
        about,
        table(vectors, labels),
        table(*gallery) if gallery else None,
        changes.pop("class_names", HOSTILE),
        changes.pop("result", None)
        or evaluate(*examples(vectors, labels, *gallery), metrics=metrics),
        **changes,
    )


def make(classes=8, per_class=3, shape=(8, 8, 1), spread=1.2, **changes) -> Contents:
    """Clouds of vectors, `spread` wide around points at distance 1 or so, with random images."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(classes), per_class)
    vectors = rng.normal(size=(classes, 8))[labels] + spread * rng.normal(size=(len(labels), 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    images = rng.integers(0, 256, (len(labels), *shape), np.uint8)
    contents = Contents(
        title="made up: test",
        evaluated=evaluated(vectors, labels),
        images=dict(enumerate(images)),
        log=LOG,
        config="seed: 0\ndata:\n  dataset: '</pre><script>alert(2)</script>'\n",
        environment={
            "python": "3.12",
            "packages": {"keras": "3"},
            "gpus": [],
            "git_revision": None,
        },
    )
    return replace(contents, **changes)
