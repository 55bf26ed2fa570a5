"""Rules of a request for an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

from triplet_train.config import make_evaluation_config
from triplet_train.data.listed_pairs import ListedPairs, read_pairs
from triplet_train.embeddings.output import SUFFIXES, format_of
from triplet_train.errors import RequestError
from triplet_train.evaluation import MetricTable
from triplet_train.evaluation.episodes import Episodes
from triplet_train.evaluation.search import NEIGHBOURS
from triplet_train.files import read_json, refuse_file
from triplet_train.jobs.answer_files import refuse_answer_files, refuse_equal_names
from triplet_train.jobs.asked_metrics import asked_metrics
from triplet_train.jobs.split_request import SplitRequest
from triplet_train.registry import FILES, either
from triplet_train.report import refuse_plots
from triplet_train.run.folder import plots_folder

_FILES = ("neighbours", "per_query", "json", "report")  # that are written


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest(SplitRequest):
    """The options of triplet-eval, under the same names. `more` are the arguments.

    Raises:
        RequestError: options that exclude each other or lack another, a number that is too small,
            or an output that cannot be written or exists.
    """

    checkpoint: Path | None = None
    any_model: bool = False
    queries: Path | None = None
    gallery: Path | None = None
    pairs: Path | None = None
    thresholds_from: Path | None = None
    against: Sequence[Path] = ()
    more: Sequence[Path] = ()
    episodes: int | None = None
    ways: int | None = None
    shots: int | None = None
    seed: int | None = None
    neighbours: Path | None = None
    top: int | None = None
    per_query: Path | None = None
    rerank: bool = False
    json: Path | None = None
    report: Path | None = None
    overwrite: bool = False
    set_: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.checkpoint is None) == (self.queries is None):
            raise RequestError("give either --checkpoint or --queries")
        if self.checkpoint is not None and format_of(self.checkpoint):
            raise RequestError(f"{self.checkpoint} is an embedding file; give it as --queries")
        if self.gallery is not None and self.queries is None:
            raise RequestError("--gallery needs --queries")
        super().__post_init__()
        if self.queries is not None and (self.any_model or self.names_a_split):
            raise RequestError(
                "--split, --dataset, --data-dir, --image-key, --label-key, --classes and "
                "--any-model need --checkpoint, not --queries"
            )
        self._refuse_comparison()
        if self.episodes is None and self._draws:
            raise RequestError("--ways, --shots and --seed need --episodes")
        if self.episodes is not None and self.gallery is not None:
            raise RequestError(
                "--episodes draws examples and queries from the same images; leave out --gallery"
            )
        self._refuse_with_pairs()
        self._refuse_thresholds()
        # Refuse values and files that are wrong.
        _ = self.drawn, self.metrics({}), self.listed_pairs, self.stored_thresholds
        refuse_answer_files(self.json, self.report, overwrite=self.overwrite)
        if self.report is not None:
            refuse_plots(plots_folder(self.report), overwrite=self.overwrite)
        self._refuse_files_of_queries()
        refuse_equal_names({f"--{name.replace('_', '-')}": getattr(self, name) for name in _FILES})

    @cached_property
    def listed_pairs(self) -> ListedPairs | None:
        """The pairs to verify; None: all pairs of queries and gallery are evaluated."""
        return None if self.pairs is None else read_pairs(self.pairs, "--pairs")

    @cached_property
    def stored_thresholds(self) -> dict[str, Any] | None:
        """The JSON of --thresholds-from; None if it names an embedding file, or is not given."""
        file = self.thresholds_from
        if file is None or format_of(file):
            return None
        if not file.is_file():
            raise RequestError(f"--thresholds-from: no such file: {file}")
        stored = read_json(file)
        thresholds = stored.get("thresholds")
        if not isinstance(thresholds, dict) or not thresholds:
            raise RequestError(
                f"--thresholds-from {file}: it has no thresholds; give an embedding file or what "
                "triplet-eval --json wrote"
            )
        for name, value in thresholds.items():
            if not isinstance(value, float | int) or not 0 <= value < inf:
                raise RequestError(
                    f"--thresholds-from {file}: thresholds.{name} is no distance: {value!r}"
                )
        return stored

    @property
    def compared(self) -> list[Path]:
        """The runs and files to compare with, each once, without the first."""
        first = self.checkpoint or self.queries or Path()
        paths = {path.resolve(): path for path in (first, *self.against, *self.more)}
        return list(paths.values())[1:]

    @property
    def most_neighbours(self) -> int:
        """The number of neighbours of each query in the file of neighbours."""
        return NEIGHBOURS if self.top is None else self.top

    @property
    def drawn(self) -> Episodes | None:
        """The episodes to draw, if any."""
        return None if self.episodes is None else Episodes(self.episodes, **self._draws)

    def metrics(self, stored: Mapping[str, Any]) -> MetricTable:
        """Return the metrics to compute: those of a run's section `evaluation`, unless overridden.

        Raises:
            RequestError: see `make_evaluation_config`.
        """
        return asked_metrics(make_evaluation_config(stored, self.set_))

    def _refuse_comparison(self) -> None:
        if self.more and not self.against:
            raise RequestError(
                f"{self.more[0]}: one run is evaluated at a time; give --against to compare several"
            )
        if self.against and self.gallery is not None:
            raise RequestError(
                "--against compares files that hold queries and gallery, with a column role; leave "
                "out --gallery"
            )
        for path in self.compared:
            if not path.exists():
                raise RequestError(f"--against {path}: no such run or file")
            if self.queries is not None and format_of(path) is None:
                raise RequestError(
                    f"--against {path}: --queries is compared with embedding files "
                    f"({either(FILES)}) only; a run has its files in embeddings/"
                )
        if self.against and not self.compared:
            raise RequestError("--against names nothing but the run or file to compare it with")

    def _refuse_with_pairs(self) -> None:
        if self.pairs is None:
            return
        if self.against:
            raise RequestError("--pairs verifies the pairs of one tower; leave out --against")
        if self.episodes is not None:
            raise RequestError("--pairs verifies the listed pairs only; leave out --episodes")
        if self.rerank or self.neighbours or self.per_query:
            raise RequestError(
                "--pairs computes no rankings; leave out --rerank, --neighbours and --per-query"
            )
        if any(not text.startswith("evaluation.false_accept_rates=") for text in self.set_):
            raise RequestError(
                "--pairs computes no rankings; with it --set takes evaluation.false_accept_rates"
            )

    def _refuse_files_of_queries(self) -> None:
        if self.top is not None and self.neighbours is None:
            raise RequestError("--top needs --neighbours")
        if self.top is not None and self.top < 1:
            raise RequestError(f"--top {self.top}: must be at least 1")
        for option, path in (("--neighbours", self.neighbours), ("--per-query", self.per_query)):
            if path is None:
                continue
            if format_of(path) is None:
                raise RequestError(f"{option} {path}: the name must end in {either(SUFFIXES)}")
            read = (self.queries, self.gallery, self.thresholds_from, *self.compared)
            if path.resolve() in [file.resolve() for file in read if file is not None]:
                raise RequestError(f"{option} {path}: this file is read; choose another name")
            refuse_file(path, overwrite=self.overwrite)

    def _refuse_thresholds(self) -> None:
        file = self.thresholds_from
        if file is None:
            return
        if self.queries is not None and file.resolve() == self.queries.resolve():
            raise RequestError(
                f"--thresholds-from {file}: these images are evaluated; choose thresholds on others"
            )
        if self.json is not None and file.resolve() == self.json.resolve():
            raise RequestError(f"--thresholds-from and --json both name {file}")

    @property
    def _draws(self) -> dict[str, int]:
        given = {"ways": self.ways, "shots": self.shots, "seed": self.seed}
        return {name: value for name, value in given.items() if value is not None}
