"""The notebook of the documentation, and a training in a notebook, each in a kernel of its own."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.commands import SMALL

nbformat = pytest.importorskip("nbformat", reason="nbclient and ipykernel are not installed")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[1] / "docs/neighbours.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"


def outputs(notebook, folder, **options):
    """Outputs of each cell of code, executed in a folder."""
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources, **options).execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell, stream="stdout"):
    return "".join(out.text for out in cell if out.output_type == "stream" and out.name == stream)


def test_the_notebook_leads_from_a_folder_of_images_to_a_sheet_of_right_neighbours(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    cells = outputs(notebook, tmp_path)
    assert not "".join(printed(cell, "stderr") for cell in cells)
    train, evaluate, _, sheet = cells[-4:]
    assert "best so far" in printed(train) and "report.html" in printed(train)
    metrics = json.loads((tmp_path / "runs/neighbours/metrics.json").read_text())
    assert re.search(f"recall_at_1 +{metrics['recall_at_1']:.4f} ", printed(evaluate))
    assert metrics["recall_at_1"] > 0.9
    right, drawn = map(int, re.match(r"(\d+) of (\d+) neighbours", printed(sheet)).groups())
    assert drawn == 40 and right >= 36
    (picture,) = [out.data["image/png"] for out in sheet if out.output_type == "display_data"]
    assert len(picture) > 10_000
    pytest.importorskip("ipywidgets")
    assert any(WIDGET in out.get("data", ()) for out in train)


def test_the_interrupt_of_a_cell_saves_the_step_and_another_cell_resumes_with_lines_for_a_bar(
    tmp_path, data_dir
):
    keys = {key: value for key, _, value in (each.partition("=") for each in SMALL)}
    sources = [
        f"""
import signal, sys
sys.modules["ipywidgets"] = None  # is not installed
import triplet_train, yaml
from triplet_train.jobs.train.held_out import HeldOut

keys = {{key: yaml.safe_load(value) for key, value in {keys!r}.items()}}
keys["data_dir"] = {str(data_dir)!r}
HeldOut.evaluation = lambda *_: lambda: signal.raise_signal(signal.SIGINT) or metrics
metrics = {{"recall_at_1": 0.5, "map_at_r": 0.1}}
""",
        "triplet_train.train('digits_semihard', 'run', **keys)",
        """
HeldOut.evaluation = lambda *_: lambda: metrics
triplet_train.train('digits_semihard', 'run', resume=True, **keys)
""",
    ]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, sources)])
    _, stopped, resumed = outputs(notebook, tmp_path, allow_errors=True)
    (error,) = [out for out in stopped if out.output_type == "error"]
    assert error.ename == "KeyboardInterrupt"
    assert "stopped at step 11 of 20, which is saved" in error.evalue
    assert "resuming from run/checkpoints/step_00000011" in printed(resumed)
    assert "step 20/20  loss" in printed(resumed)
    (result,) = [out for out in resumed if out.output_type == "execute_result"]
    assert result.data["text/plain"].startswith("TrainedRun('run', step=10, recall_at_1=")
