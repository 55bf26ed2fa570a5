"""A read that fails after training gives one line and leaves no file."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.failing_reads import FOR_GOOD, failing
from tests.helpers.made_files import embedding_file
from triplet_train.console import SILENT
from triplet_train.data.source import open_source
from triplet_train.embeddings.compute import make_embed
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.formats import parquet
from triplet_train.errors import RunError
from triplet_train.files import read_json, sha256
from triplet_train.jobs.embed.local import embed
from triplet_train.jobs.embed.request import EmbedRequest
from triplet_train.jobs.evaluate.checkpoint import evaluate_checkpoint
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.open_tower import open_tower
from triplet_train.jobs.report import write_page
from triplet_train.run.folder import RunFolder


def refused(use):
    """Assert that `use` raises an error with an image's name and the cause."""
    with (
        failing(os, "pread", times=FOR_GOOD),
        pytest.raises(RunError, match=r"cannot read the image .*digits-test.*__\d+: .*Input"),
    ):
        use()


def test_evaluation_export_and_page_name_the_image_and_leave_nothing(finished_run, tmp_path):
    file = tmp_path / "vectors.npz"
    refused(lambda: embed(EmbedRequest(checkpoint=finished_run, output=file), SILENT))
    request = EvaluationRequest(checkpoint=finished_run, split="test")
    refused(lambda: evaluate_checkpoint(request, SILENT))
    evaluated = evaluate_checkpoint(request, SILENT)
    refused(lambda: write_page(evaluated, tmp_path / "page.html", "page"))
    assert not any(tmp_path.iterdir())


def test_a_momentary_read_failure_changes_no_vector(finished_run):
    opened = open_tower(finished_run)
    table = open_source(opened.config.data).table("test[:40]")
    vectors = make_embed(opened.tower, 16)
    expected = vectors(table)
    with failing(os, "pread", after=1) as failed:
        np.testing.assert_array_equal(vectors(table), expected)
    assert failed


@pytest.mark.parametrize(
    ("format", "reader"),
    [("npz", (np, "load")), ("h5", (Path, "open")), ("parquet", (parquet.pq, "read_table"))],
)
def test_an_embedding_file_on_a_failing_disk_is_not_called_another_kind_of_file(
    tmp_path, format, reader
):
    file = embedding_file(tmp_path / f"q.{format}", [0, 0, 1, 1])
    with (
        failing(*reader),
        pytest.raises(RunError, match=rf"q\.{format} cannot be read: Input/output error$"),
    ):
        read_table(file)
    assert len(read_table(file).ids) == 4


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("environment", lambda run: read_json(run.environment)),
        ("metrics_log", lambda run: list(run.logged())),
        ("embedder", lambda run: sha256(run.embedder)),
    ],
)
def test_a_file_of_a_run_that_cannot_be_read_is_named(finished_run, name, read):
    run = RunFolder(finished_run)
    file = getattr(run, name).name
    with failing(Path, "open"), pytest.raises(OSError, match=rf"Input/output error: '.*{file}'"):
        read(run)
