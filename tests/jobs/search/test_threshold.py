"""The threshold of a run, of a number, and of no run."""

import json

import pytest

from triplet_train.errors import RequestError
from triplet_train.jobs.search.threshold import threshold_of


@pytest.fixture
def run(tmp_path):
    """A run with two towers, the best of which has thresholds."""
    for name in ("config.yaml", "environment.json"):
        (tmp_path / name).touch()
    (tmp_path / "embedder.keras").write_bytes(b"best")
    for step, content in ((1, b"first"), (2, b"best")):
        folder = tmp_path / f"checkpoints/step_0000000{step}"
        folder.mkdir(parents=True)
        (folder / "embedder.keras").write_bytes(content)
    measured = {"split": "test", "thresholds": {"eer": 0.5, "fpr_1e-2": 0.25}}
    (tmp_path / "metrics.json").write_text(json.dumps(measured))
    return tmp_path


def test_the_default_is_that_with_equal_error_rates(run):
    threshold = threshold_of(run / "embedder.keras", None)
    assert threshold.origin == f"the threshold eer of test in {run}/metrics.json"
    assert [threshold.accepts(distance) for distance in (0.5, 0.51)] == [True, False]
    assert threshold_of(run / "embedder.keras", "fpr_1e-2").distance == 0.25
    assert threshold_of(run / "embedder.keras", "0.75") == (0.75, "--threshold")


def test_thresholds_are_those_of_the_best_checkpoint(run):
    steps = run / "checkpoints"
    assert threshold_of(steps / "step_00000002/embedder.keras", None).distance == 0.5
    other = threshold_of(steps / "step_00000001/embedder.keras", None)
    assert other.distance is None and "of another checkpoint, the best" in other.origin
    assert other.accepts(0.1) is None


def test_the_reason_is_given_where_there_is_none(run):
    (run / "metrics.json").write_text("{}")
    assert "has no thresholds" in threshold_of(run / "embedder.keras", None).origin
    (run / "metrics.json").write_text('{"thresholds": {"fpr_1e-2": 0.25}}')
    assert threshold_of(run / "embedder.keras", None).origin.endswith(", but no eer")
    (run / "metrics.json").unlink()
    assert "no metrics.json yet" in threshold_of(run / "embedder.keras", None).origin
    (run / "config.yaml").unlink()
    assert "does not belong to a run" in threshold_of(run / "embedder.keras", None).origin
    assert threshold_of(None, None).origin == "an export has no thresholds"


@pytest.mark.parametrize(
    "asked, words",
    [
        ("-0.1", "expected a distance of 0 or more"),
        ("nan", "expected a distance of 0 or more"),
        ("fpr_1", r"neither a distance nor .*metrics.json; it has eer or fpr_1e-2"),
    ],
)
def test_other_thresholds_are_refused(run, asked, words):
    with pytest.raises(RequestError, match=f"--threshold {asked}: {words}"):
        threshold_of(run / "embedder.keras", asked)
    with pytest.raises(RequestError, match="an export has no thresholds"):
        threshold_of(None, "eer")
