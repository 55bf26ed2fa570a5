"""Rules of a request, which need no command."""

from pathlib import Path

import pytest

from triplet_train.errors import RequestError
from triplet_train.jobs.train.request import check_preview, make_request


def test_a_run_is_named_after_its_configuration_unless_a_folder_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_request("digits_semihard").run.path == Path("runs/digits_semihard")
    given = make_request("digits_semihard", run_dir=tmp_path / "mine")
    assert given.run.path == tmp_path / "mine" and not given.resume and not given.overwrite


def test_the_folder_of_data_sets_is_absolute_and_wins_over_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = ["data.data_dir=/elsewhere", "train.steps=3"]
    config = make_request("digits_semihard", overrides, data_dir=Path('a "set" ü')).config
    assert config.data.data_dir == str(tmp_path / 'a "set" ü') and config.train.steps == 3


def test_a_request_that_would_lose_a_run_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RequestError, match="is not empty and holds no run"):
        make_request("digits_semihard", run_dir=tmp_path, overwrite=True)
    with pytest.raises(RequestError, match="nothing to resume"):
        make_request("digits_semihard", run_dir=tmp_path / "run", resume=True)
    with pytest.raises(RequestError, match="--resume or --overwrite, not both"):
        make_request("digits_semihard", run_dir=tmp_path / "run", resume=True, overwrite=True)


def test_a_preview_is_a_picture_of_a_dry_run(tmp_path):
    file = tmp_path / "sheet.png"
    check_preview(file, dry_run=True, overwrite=False)
    with pytest.raises(RequestError, match="needs --dry-run"):
        check_preview(file, dry_run=False, overwrite=False)
    with pytest.raises(RequestError, match=r"must end in \.png"):
        check_preview(tmp_path / "sheet.jpg", dry_run=True, overwrite=False)
    file.touch()
    with pytest.raises(RequestError, match="--overwrite"):
        check_preview(file, dry_run=True, overwrite=False)
    check_preview(file, dry_run=True, overwrite=True)
