"""Towers of runs, of checkpoints and of files, and the data set that goes with each."""

import shutil

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table


def test_a_bare_keras_file_asks_for_its_data_set(workplace, command, finished_run, data_dir):
    shutil.copy(finished_run / "embedder.keras", "tower.keras")
    request = ["--checkpoint", "tower.keras", "--output", "x.npz"]
    status, _, err = command(embed, *request)
    assert status == 2 and "--dataset" in err
    assert command(embed, *request, "--dataset", "digits", "--data-dir", data_dir)[0] == 0
    assert read_table(workplace / "x.npz").metadata["config"] is None


def test_a_keras_file_that_was_put_into_a_run_is_not_taken_for_its_tower(
    workplace, command, run_copy
):
    shutil.copy(run_copy / "embedder.keras", "run/mine.keras")
    status, _, err = command(embed, "--checkpoint", "run/mine.keras", "--output", "x.npz")
    assert status == 2 and "--dataset" in err
    run_copy.rename("checkpoints")  # a name that a user may give too
    assert command(evaluate, "--checkpoint", "checkpoints/embedder.keras", "--quiet")[0] == 0
