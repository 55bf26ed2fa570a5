"""The evaluations of held-out images during training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from triplet_train.config import Config
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.compute import Embed
from triplet_train.errors import RequestError
from triplet_train.evaluation import (
    Coverage,
    Examples,
    coverage_of,
    examples_of,
    make_protocol,
    retrieval_metrics,
    with_sampled_queries,
)
from triplet_train.evaluation.metrics import Source
from triplet_train.jobs.asked_metrics import asked_metrics


@dataclass(frozen=True)
class HeldOut:
    """Held-out images, and the queries among them that are evaluated.

    Attributes:
        config: of the run.
        examples: the images without their vectors; the same queries in every evaluation.
        coverage: counts of every evaluation.
        all_queries: number of queries that could be evaluated.
    """

    config: Config
    examples: Examples
    coverage: Coverage
    all_queries: int

    def __str__(self) -> str:
        """Counts in words, for the log."""
        drawn = self.coverage.queries < self.all_queries
        return f"drawn from {self.all_queries:,}: {self.coverage}" if drawn else str(self.coverage)

    def notes(self) -> list[str]:
        """Return a sentence if only a sample of the queries is evaluated."""
        if self.coverage.queries == self.all_queries:
            return []
        return [
            f"evaluations during training take {self.coverage.queries:,} of the "
            f"{self.all_queries:,} queries of {self.config.data.eval_split}, drawn by the seed, "
            "the same every time"
        ]

    def evaluation(self, embed: Embed, images: ImageTable) -> Callable[[], dict[str, float]]:
        """Return a function that embeds `images` and returns their metrics and counts."""
        asked = asked_metrics(self.config.evaluation)
        also = self.config.evaluation.best_metric

        def evaluate() -> dict[str, float]:
            examples = replace(self.examples, vectors=embed(images))
            return retrieval_metrics(examples, metrics=asked, also=also) | asdict(self.coverage)

        return evaluate


def hold_out(config: Config, images: ImageTable) -> HeldOut:
    """Choose the queries of the evaluations during training; see `with_sampled_queries`.

    Raises:
        RequestError: the queries are too few for `evaluation.best_metric`.
    """
    (examples,) = examples_of([images])
    whole = coverage_of(make_protocol(examples))
    sample = with_sampled_queries(examples, config.evaluation.queries, config.seed)
    drawn = coverage_of(make_protocol(sample))
    best = config.evaluation.best_metric
    clusters = asked_metrics(config.evaluation).computed_from(Source.CLUSTERS)
    if drawn.query_classes == 1 and best in [metric.name for metric in clusters]:
        raise RequestError(
            f"evaluation.best_metric: {best} needs queries of two classes; the evaluated queries "
            f"of {config.data.eval_split} have one"
        )
    # A query that was not drawn has no part either, but its role is not the reason.
    drawn = replace(drawn, rows_without_part=whole.rows_without_part)
    return HeldOut(config, sample, drawn, whole.queries)
