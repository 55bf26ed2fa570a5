"""Paths of a run, and the values read from its files."""

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from triplet_train.registry import FORMATS
from triplet_train.run.folder import RunFolder, embedding_name


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(split=st.text() | st.from_regex(r"\A[./\-\x00a-z\[\]:%\\~]*\Z"))
@example("../../x")
@example("/x")
@example("..")
@example(".")
@example("a\0b")
@example("")
def test_the_name_of_a_split_s_file_lies_in_its_folder_whatever_the_split(split):
    for format in FORMATS:
        name = embedding_name(split, format)
        assert os.path.basename(name) == name and "\0" not in name
        assert not name.startswith((".", "-"))


def test_tensorboard_s_exports_lie_where_it_looks_for_them(tmp_path):
    run = RunFolder(tmp_path)
    assert run.embedding_file("test", "projector") == tmp_path / "tensorboard/test.projector"
    assert run.embedding_file("test", "npz") == tmp_path / "embeddings/test.npz"


def test_lines_of_a_log_that_are_not_whole_are_left_out(tmp_path):
    run = RunFolder(tmp_path)
    assert list(run.logged()) == []
    run.metrics_log.write_text('{"step": 1, "loss": 0.5}\nnull\n{"step": 2, "lo')
    assert list(run.logged()) == [{"step": 1, "loss": 0.5}]


def test_steps_are_those_of_folders_with_the_name_of_a_checkpoint(tmp_path):
    run = RunFolder(tmp_path)
    assert run.saved_steps() == []
    for name in ("step_00000020", "step_00000003", ".step_00000030.abcdefgh.partial", "best"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert run.saved_steps() == [3, 20]
    assert run.checkpoint(3).path == tmp_path / "checkpoints/step_00000003"
