"""Embeddings of a split of the data set, written to a file."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table


@pytest.mark.parametrize("name", ["out.parquet", "out.npz", "out"])
def test_embeddings_of_any_split_are_exported_in_every_format(
    workplace, command, finished_run, data_dir, name
):
    format_ = ["--format", "projector"] if name == "out" else []
    request = ["--checkpoint", finished_run, "--output", name, "--split", "train[:30]", *format_]
    status, out, _ = command(embed, *request)
    assert (status, out) == (0, f"{name}: 30 vectors of 16 dimensions\n")
    assert [path.name for path in workplace.iterdir()] == [name]
    if name != "out":
        table = read_table(workplace / name)
        assert table.embeddings.shape == (30, 16) and len(set(table.ids)) == 30
        np.testing.assert_allclose(np.linalg.norm(table.embeddings, axis=1), 1, atol=1e-6)
        about = table.metadata
        assert (about["dataset"], about["split"]) == ("digits/1.0.0", "train[:30]")
        assert about["config"]["model"]["embedding_dim"] == 16
        assert len(about["checkpoint_sha256"]) == 64
    status, _, err = command(embed, *request)
    assert status == 2 and "--overwrite" in err
    assert command(embed, *request, "--overwrite")[0] == 0


def test_an_export_is_the_same_from_run_checkpoint_and_file_and_equals_the_run_s_own(
    workplace, command, finished_run, data_dir
):
    own = pq.read_table(finished_run / "embeddings/test.parquet").to_pydict()
    places = {
        "run": finished_run,
        "best": finished_run / "checkpoints/best",
        "file": finished_run / "embedder.keras",
    }
    for name, place in places.items():
        assert command(embed, "--checkpoint", place, "--output", f"{name}.parquet")[0] == 0
        assert pq.read_table(f"{name}.parquet").to_pydict() == own


def test_images_of_another_data_set_are_resized_for_the_tower(
    workplace, command, finished_run, mnist_dir
):
    request = ["--checkpoint", finished_run, "--dataset", "mnist", "--data-dir", mnist_dir]
    status, _, err = command(embed, *request, "--split", "test[:20]", "--output", "x.npz")
    assert status == 0, err
    assert read_table(workplace / "x.npz").embeddings.shape == (20, 16)


@pytest.mark.parametrize(
    "name, options, message",
    [
        (
            "out",
            ["--format", "projector"],
            "folder that triplet-embed did not write",
        ),
        ("out.npz", [], "folder; give the name of a file"),
    ],
)
def test_overwriting_never_takes_a_folder_that_is_not_an_export(
    workplace, command, finished_run, name, options, message
):
    (workplace / name).mkdir()
    (workplace / name / "thesis.txt").write_text("years of work")
    request = ["--checkpoint", finished_run, "--output", name, "--overwrite", *options]
    status, _, err = command(embed, *request)
    assert status == 2 and f"{name} is a {message}" in err
    json_ = ["--checkpoint", finished_run, "--json", name, "--overwrite"]
    assert command(evaluate, *json_)[0] == 2
    assert (workplace / name / "thesis.txt").read_text() == "years of work"
