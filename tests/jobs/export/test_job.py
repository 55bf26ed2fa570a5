"""Whole exports of the small run: what is printed, what is left, and what reads it again."""

import json
import re

import numpy as np
import pytest

from tests.helpers.encoded_files import write_few
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.export import main as export
from triplet_train.embeddings.files import read_table
from triplet_train.exports.files import read_export
from triplet_train.files import sha256
from triplet_train.jobs.export import job
from triplet_train.registry import EXPORTS


@pytest.fixture
def exported(command, finished_run, workplace):
    """Export the small run: `exported(*options)` -> (status, stdout, stderr)."""

    def run(*options):
        return command(export, "--checkpoint", finished_run, *options)

    return run


def needs(format):
    for package in EXPORTS[format].packages:
        pytest.importorskip(package, reason=f"pip install 'triplet-train[{format}]'")


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in EXPORTS if name != "onnx"]


@pytest.mark.parametrize("format", ["onnx", *SLOW])
def test_an_export_embeds_like_the_run_and_says_where_it_comes_from(
    exported, command, finished_run, workplace, format
):
    needs(format)
    name = f"tower{EXPORTS[format].suffix}"
    status, out, _ = exported("--output", name)
    assert status == 0 and re.search(r"^largest difference from the tower: \S+e-0[78]", out, re.M)
    assert command(embed, "--checkpoint", name, "--output", "a.npz")[0] == 0
    mine = read_table(workplace / "a.npz")
    own = read_table(finished_run / "embeddings/test.parquet")
    np.testing.assert_allclose(mine.embeddings, own.embeddings, atol=1e-5)
    assert (mine.ids, mine.label_names) == (own.ids, own.label_names)
    for key in ("checkpoint_sha256", "config", "dataset", "split"):
        assert mine.metadata[key] == own.metadata[key]
    about = read_export(workplace / name, format).about
    assert about["checkpoint_sha256"] == sha256(finished_run / "embedder.keras")
    assert about["image_shape"] == [8, 8, 1] and about["classes"] == list("0123456789")
    assert not [path for path in workplace.iterdir() if path.name.startswith(".")]


def test_an_export_that_differs_from_the_tower_is_not_left(exported, workplace, monkeypatch):
    monkeypatch.setattr(job, "largest_difference", lambda *_: 1.1e-4)
    status, out, err = exported("--output", "tower")
    assert (status, out) == (1, "") and "1.1e-04" in err and "nothing was written to tower" in err
    assert not list(workplace.iterdir())


def test_differences_are_those_of_any_image_one_and_seven_at_a_time():
    images = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    sizes = []

    def run(some):
        sizes.append(len(some))
        vectors = some.reshape(-1, 1).astype(np.float32)
        return vectors + (some.reshape(-1, 1) == 8) * 0.5

    assert job.largest_difference(run, images, np.arange(9.0)[:, None]) == 0.5
    assert sizes == [1] * 9 + [7, 2]
    assert np.isnan(
        job.largest_difference(lambda x: np.full((len(x), 1), np.nan), images, 0 * images[:, 0, 0])
    )


@pytest.mark.slow
def test_a_server_of_files_gives_the_vectors_of_triplet_embed(
    exported, command, finished_run, workplace
):
    (workplace / "photos").mkdir()
    write_few(workplace / "photos")
    status, out, _ = exported("--output", "tower", "--input", "bytes", "--images", "photos")
    assert status == 0 and re.search(r"6 files, pixels differ by [12] of 255 levels", out)
    command(embed, "--checkpoint", finished_run, "--images", "photos", "--output", "a.npz")
    table = read_table(workplace / "a.npz")
    tower = read_export(workplace / "tower", "saved_model")
    vectors = tower.run_files([(workplace / "photos" / name).read_bytes() for name in table.ids])
    np.testing.assert_allclose(vectors, table.embeddings, atol=5e-3)
    assert exported("--output", "tower")[0] == 2
    assert exported("--output", "tower", "--overwrite")[0] == 0  # its own folder
    (workplace / "photos/lossy.webp").write_bytes(b"no image")
    status, out, err = exported("--output", "other", "--input", "bytes", "--images", "photos")
    assert status == 0 and "1 of 6 images cannot be read and are left out" in err


@pytest.mark.slow
@pytest.mark.parametrize("format, quantize", [("onnx", "float16"), ("litert", "int8")])
def test_quantization_tells_what_it_costs(exported, command, workplace, format, quantize):
    needs(format)
    name = f"tower{EXPORTS[format].suffix}"
    status, out, _ = exported("--output", name, "--quantize", quantize)
    costs = re.search(
        r"recall_at_1 of test \(450 images\): (\S+) in float32, (\S+) in (\w+) \((\S+)\)", out
    )
    assert status == 0 and costs[3] == quantize
    assert command(evaluate, "--checkpoint", name, "--json", "a.json", "--quiet")[0] == 0
    measured = json.loads((workplace / "a.json").read_text())["recall_at_1"]
    assert abs(measured - float(costs[2])) < 1e-4
    assert abs(float(costs[2]) - float(costs[1]) - float(costs[4])) < 2e-4
