"""Contents of a page."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from triplet_train.evaluation.tables import TableEvaluation

Images = dict[int, np.ndarray]


@dataclass(frozen=True)
class Contents:
    """Data of a page. A sentence replaces each section whose data are None.

    Attributes:
        title: of the page, such as "mnist_semihard: test".
        evaluated: the evaluation. A label without a name is shown by its number.
        images: index of a query -> uint8 [H, W, C], C from 1 to 4, for `sheets.queries_shown`.
            None with a gallery, whose images are unknown.
        log: the lines of metrics.jsonl: of training, and with "split" of evaluation.
        best_metric: name of the metric that chose the best step.
        config: YAML.
        environment: plain JSON.
    """

    title: str
    evaluated: TableEvaluation
    images: Images | None = None
    log: list[dict[str, Any]] | None = None
    best_metric: str = "recall_at_1"
    config: str | None = None
    environment: dict[str, Any] | None = None
