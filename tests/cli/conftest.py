import pytest


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_pictures(monkeypatch):
    """Saves seconds; tests/cli/test_report.py has them."""

    from triplet_train.jobs import report
    from triplet_train.report import plots_folder

    def empty(evaluated, file, title):
        file.touch()
        plots_folder(file).mkdir(exist_ok=True)

    monkeypatch.setattr(report, "write_page", empty)
