from pathlib import Path

from triplet_train.jobs.open_tower import _run_of


def test_a_tower_at_the_root_of_the_file_system_lies_in_no_run():
    assert _run_of(Path("/embedder.keras")) is None
