"""A sample of the queries, for a large set."""

from dataclasses import replace

import numpy as np

from triplet_train.evaluation.examples import Examples
from triplet_train.evaluation.protocol import make_protocol


def with_sampled_queries(examples: Examples, most: int | None, seed: int) -> Examples:
    """Return the examples with at most `most` queries; the gallery stays whole.

    They are drawn from the queries with an image of their class to find, each with the same
    probability: a mean over them estimates the mean over all. The draw is a function of the seed
    and of these queries. None takes all.
    """
    protocol = make_protocol(examples)
    evaluated = np.sort(protocol.query_indices[protocol.relevant > 0])
    if most is None or len(evaluated) <= most:
        return examples
    is_query = examples.is_query.copy()
    is_query[evaluated] = False
    is_query[np.random.default_rng(seed).choice(evaluated, most, replace=False)] = True
    return replace(examples, is_query=is_query)
