"""Rules of a request for a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triplet_train.data.image_files import printable_path
from triplet_train.errors import RequestError
from triplet_train.exports.output import exported_format, require_packages
from triplet_train.jobs.answer_files import refuse_answer_files, refuse_equal_names
from triplet_train.jobs.search.threshold import Threshold, threshold_of
from triplet_train.run.embedder_file import embedder_file


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """Options of triplet-search, under the same names.

    Raises:
        RequestError: no such checkpoint or image, an unknown threshold, or an output that cannot be
            written or exists.
    """

    checkpoint: Path
    gallery: Path
    images: Sequence[Path]
    top: int = 10
    threshold: str | None = None
    exact: bool = False
    json: Path | None = None
    report: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        exported = exported_format(self.checkpoint)
        if exported:
            require_packages(exported)
        _ = self.tower_file, self.same  # refuse what is not there
        for image in self.images:
            if image.is_dir():
                raise RequestError(
                    f"{printable_path(image)} is a folder; name the images in it, as in "
                    f"{printable_path(image)}/*.jpg"
                )
            if not image.exists():
                raise RequestError(f"no image {printable_path(image)}")
        refuse_answer_files(self.json, self.report, overwrite=self.overwrite)
        refuse_equal_names({"--json": self.json, "--report": self.report})

    @property
    def tower_file(self) -> Path | None:
        """The `.keras` file of the checkpoint; None: it is an exported tower."""
        return None if exported_format(self.checkpoint) else embedder_file(self.checkpoint)

    @property
    def same(self) -> Threshold:
        """The threshold up to which two images are called the same; see `threshold_of`."""
        return threshold_of(self.tower_file, self.threshold)
