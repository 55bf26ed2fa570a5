"""Writing beside and renaming, with other writers at work and with interruptions."""

import os
import shutil

import pytest

from triplet_train.files import is_partial, remove_partial, replacing


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_two_writers_of_one_file_do_not_meet_even_with_the_same_process_number(tmp_path):
    file = tmp_path / "x.txt"
    with replacing(file) as first:
        first.write_text("the fir")
        with replacing(file) as second:
            second.write_text("the second")
        assert file.read_text() == "the second"
        first.write_text("the first")
    assert content(tmp_path) == {"x.txt": "the first"}


def test_a_written_file_has_the_permissions_of_any_other_file(tmp_path):
    with replacing(tmp_path / "file") as beside:
        beside.touch()
    (tmp_path / "other").touch()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_partial_files_of_a_killed_process_are_known_by_their_names_and_removed(tmp_path):
    with replacing(tmp_path / "x.npz") as beside:
        beside.touch()
        (now,) = tmp_path.iterdir()
        assert is_partial(now)
        shutil.copytree(now, tmp_path / "aside")
    os.rename(tmp_path / "aside", now)
    for earlier in (".x.123.partial.npz", ".step_00000010.123.partial"):
        (tmp_path / earlier).touch()
    for other in (".x.partial", ".hidden", "x.12345678.partial"):
        (tmp_path / other).touch()
    remove_partial(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"x.npz", ".x.partial", ".hidden", "x.12345678.partial"}


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_while_a_folder_takes_the_place_of_another_leaves_one_of_them(
    tmp_path, monkeypatch, at
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    rename, calls = os.rename, []

    def interrupted(*paths):
        rename(*paths)
        calls.append(paths)
        if len(calls) == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "out") as beside:
        beside.mkdir()
        (beside / "new").touch()
    left = [path.name for path in tmp_path.rglob("*")]
    assert left == ["out", "old" if at == 1 else "new"]


def test_an_error_names_the_file_that_was_to_be_written(tmp_path):
    missing = tmp_path / "missing/x.txt"
    with pytest.raises(FileNotFoundError) as raised, replacing(missing):
        pass
    assert raised.value.filename == str(missing)
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "x") as beside:
        (beside / "y").touch()
    assert raised.value.filename == str(tmp_path / "x")
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "x"):
        (tmp_path / "images/z").read_bytes()
    assert raised.value.filename == str(tmp_path / "images/z")
