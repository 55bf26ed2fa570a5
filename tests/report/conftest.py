import pytest

from tests.helpers.report_contents import make
from triplet_train.report import style
from triplet_train.report.page import write_report


@pytest.fixture(scope="session", autouse=True)
def coarse_plots():
    """Draw with a sixteenth of the pixels, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(style._STYLE, "figure.dpi", 50)
        yield


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The page of a report with every section and eight hostile class names."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    write_report(make(8, 4), file)
    return file
