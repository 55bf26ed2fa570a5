"""What a report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from triplet_train.evaluation.episodes import EpisodeFigures
from triplet_train.evaluation.judgement import Judgement

Images = np.ndarray | Mapping[int, np.ndarray]


@dataclass(frozen=True)
class Contents:
    """Sections of a page whose data is None are left out, with a sentence that says so.

    Attributes:
        title: of the page, such as "mnist_semihard: test".
        judgement: of `vectors`, whose rows its row numbers count.
        vectors: float32 [Q, D] of the queries.
        labels: int64 [Q].
        class_names: the name of each label; a label without one is shown by its number.
        gallery: vectors [G, D] and labels [G] that the queries searched; None: each searched the
            other queries.
        ids: Q strings.
        images: uint8 [H, W, C] of the queries by row number, C from 1 to 4: an array of all, or
            those of `sheets.rows_shown` alone. None with a gallery, whose images nobody has.
        log: the lines of metrics.jsonl: of training, and with "split" of evaluation.
        config: YAML.
        environment: plain JSON.
        about: facts shown at the top, such as the data set, the split and the checkpoint.
        episodes: over `vectors`; None where there were none.
    """

    title: str
    judgement: Judgement
    vectors: np.ndarray
    labels: np.ndarray
    class_names: dict[int, str]
    gallery: tuple[np.ndarray, np.ndarray] | None
    ids: list[str]
    images: Images | None
    log: list[dict[str, Any]] | None
    config: str | None
    environment: dict[str, Any] | None
    about: dict[str, str]
    episodes: EpisodeFigures | None = None

    @property
    def searched_labels(self) -> np.ndarray:
        """int64 [G], or [Q] without a gallery: of the rows that `judgement.neighbours` counts."""
        return self.labels if self.gallery is None else self.gallery[1]
