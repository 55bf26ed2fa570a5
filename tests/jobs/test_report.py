"""Pages of a run and of an evaluation."""

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.console import SILENT
from triplet_train.jobs import report
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest

SHEETS = "neighbours_random.png"


def test_a_run_leaves_a_page_with_curves_images_and_what_it_was_made_with(workplace, digits_config):
    config = digits_config("embeddings.splits=['test[:90]']")
    run(TrainRequest(config, RunFolder(workplace / "a run")), SILENT)
    page = (workplace / "a run/report.html").read_text()
    assert "<h1>a run: test[:90]</h1>" in page
    for words in ("digits/1.0.0", "embedding_dim: 16", "packages", "best step"):
        assert words in page
    plots = {path.name for path in (workplace / "a run/plots").iterdir()}
    expected = {"loss", "distances", "map_pca", "map_tsne", "confusion", "neighbours_random"}
    assert {f"{name}.png" for name in expected} <= plots


def test_a_checkpoint_is_shown_with_its_run_and_images(
    workplace, command, finished_run, monkeypatch, without_tsne
):
    request = ["--checkpoint", finished_run, "--split", "train[:60]", "--report", "x.html"]
    status, out, _ = command(evaluate, *request)
    assert status == 0 and out.endswith("x.html\n")
    assert {path.name for path in workplace.iterdir()} == {"x.html", "x_plots"}
    plots = {path.name for path in (workplace / "x_plots").iterdir()}
    assert {"loss.png", SHEETS} <= plots
    status, _, err = command(evaluate, *request)
    assert status == 2 and "x.html exists; give --overwrite" in err
    (workplace / "x.html").unlink()
    status, _, err = command(evaluate, *request)
    assert status == 2 and "x_plots exists; give --overwrite" in err
    monkeypatch.setattr(report, "write_page", lambda evaluated, file, title: file.write_text("new"))
    assert command(evaluate, *request, "--overwrite")[0] == 0
    assert (workplace / "x.html").read_text() == "new"


def test_files_are_shown_without_images_and_with_a_gallery(
    workplace, command, finished_run, without_tsne
):
    for name, split in (("queries.npz", "test[:40]"), ("gallery.npz", "train[:90]")):
        command(embed, "--checkpoint", finished_run, "--split", split, "--output", name)
    request = ["--queries", "queries.npz", "--gallery", "gallery.npz", "--report", "x.html"]
    assert command(evaluate, *request)[0] == 0
    assert "gallery.npz" in (workplace / "x.html").read_text()
    plots = {path.name for path in (workplace / "x_plots").iterdir()}
    assert "map_pca.png" in plots and not plots & {"loss.png", SHEETS}
