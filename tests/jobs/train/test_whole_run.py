"""A run from its configuration to its last file."""

import json
import shutil

import numpy as np
import pytest

from tests.helpers.commands import COUNTS, METRIC_NAMES, RESUME, changed, small_run
from tests.helpers.tables import pixels
from triplet_train.cli.train import main as train
from triplet_train.config import load_config
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table
from triplet_train.evaluation import Coverage, make_examples, retrieval_metrics
from triplet_train.models.embedder import load_embedder
from triplet_train.run.folder import RunFolder

pytestmark = pytest.mark.usefixtures("without_pages")


def test_a_run_leaves_the_documented_files(workplace, command, data_dir):
    status, out, err = command(train, *small_run(data_dir))
    assert status == 0
    folder = workplace / "runs" / "digits_semihard"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "metrics.json",
        "checkpoints",
        "embedder.keras",
        "embeddings",
        "plots",
        "tensorboard",
        "report.html",
    }
    # --overwrite takes these, the list of a batch that failed, and the ids of trackers.
    entries = {path.name for path in RunFolder(folder).entries}
    assert names | {"failed_batch.json", "trackers.json"} == entries
    assert {p.name for p in (folder / "embeddings").iterdir()} == {"test.parquet", "test.npz"}
    assert (folder / "tensorboard/test.projector/sprite.png").exists()
    assert (
        "test.projector/vectors.tsv" in (folder / "tensorboard/projector_config.pbtxt").read_text()
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    more = {"step", "steps", "split", "splits", "intervals", "thresholds", "notes", *COUNTS}
    assert set(metrics) == METRIC_NAMES | more and metrics["split"] == "test"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["tensorflow"] and "digits_semihard" in environment["command"]
    assert "recall_at_1" in out and "triplet-embed --checkpoint runs/digits_semihard" in out
    assert "step 20/20" in err and "images/s" in err and "left" in err

    # The resolved configuration alone reproduces the run.
    again = ["--config", folder / "config.yaml", "--run-dir", "again", "--quiet"]
    status, out, err = command(train, *again)
    assert (status, err) == (0, "")
    first, second = (read_table(f / "embeddings/test.npz") for f in (folder, workplace / "again"))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)


def test_evaluation_and_export_take_images_as_they_are(workplace, command, data_dir):
    strong = "augment={crop: 0.9, rotate: 90, shift: 0.5, contrast: 0.9, blur: 3.0, erase: 0.9}"
    more = changed(strong, "train.steps=2", "embeddings.formats=[npz]")
    assert command(train, *small_run(data_dir, *more))[0] == 0
    run = workplace / "runs/digits_semihard"
    tower = load_embedder(run)
    source = open_source(load_config(str(run / "config.yaml")).data)
    exported, evaluated = (source.table(split) for split in ("test", "train[85%:]"))
    table = read_table(run / "embeddings/test.npz")
    np.testing.assert_allclose(table.embeddings, tower(pixels(exported)), atol=1e-6)
    metrics = retrieval_metrics(make_examples(tower(pixels(evaluated)).numpy(), evaluated.labels))
    logged = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {key: logged[key] for key in metrics} == pytest.approx(metrics, abs=1e-6)


def test_a_run_reports_how_many_queries_and_classes_its_metrics_cover(workplace, command, data_dir):
    part = "test[:12]"
    changes = [f"data.eval_split={part}", f"embeddings.splits=['{part}']", "train.steps=1"]
    changes += ["embeddings.formats=[npz]"]
    status, out, err = command(train, *small_run(data_dir, *changed(*changes)))
    assert status == 0, err
    expected = Coverage(5, 2, 7, 7, gallery_images=12)  # 3 and 6; seven digits occur once
    assert f"  ({expected})  best so far" in err
    assert f"  ({expected})\n" in out
    run = workplace / "runs/digits_semihard"
    last_line = (run / "metrics.jsonl").read_text().splitlines()[-1]
    for found in (json.loads((run / "metrics.json").read_text()), json.loads(last_line)):
        assert Coverage.of_counts(found) == expected


def test_two_slices_of_a_split_are_exported_to_two_files_and_a_lone_image_without_metrics(
    workplace, command, run_copy
):
    shutil.rmtree(run_copy / "embeddings")
    splits = "embeddings.splits=['test[:90%]', 'test[90%:]', 'train[:1]']"
    more = changed(splits, "embeddings.formats=[npz]")
    status, out, _ = command(train, *RESUME, *more)
    assert status == 0
    assert "train[:1]: no metrics, since no query has another image of its class to find" in out
    sizes = {path.name: len(read_table(path).ids) for path in (run_copy / "embeddings").iterdir()}
    assert sizes == {"test_-90%.npz": 405, "test_90%-.npz": 45, "train_-1.npz": 1}
    metrics = json.loads((run_copy / "metrics.json").read_text())
    assert metrics["recall_at_1"] == metrics["splits"]["test[:90%]"]["recall_at_1"]
    assert metrics["splits"]["train[:1]"] == {}


def test_weights_that_are_not_finite_fail_the_run_and_are_not_kept(workplace, command, data_dir):
    more = changed("optimizer.name=sgd", "optimizer.learning_rate=1e38", "train.steps=1")
    status, _, err = command(train, *small_run(data_dir, *more))
    assert status == 1 and "finite" in err and "step 1" in err and "Traceback" not in err
    assert "the newest good checkpoint is runs/digits_semihard/checkpoints/step_00000000" in err
    kept = (workplace / "runs/digits_semihard/checkpoints").iterdir()
    assert [path.name for path in kept] == ["step_00000000"]


def test_a_damaged_data_set_is_named(workplace, command, data_dir):
    sets = workplace / "sets"
    shutil.copytree(data_dir, sets)
    (file,) = sets.rglob("digits-train.tfrecord-00000-of-00001")
    file.write_bytes(file.read_bytes()[:5000])
    status, _, err = command(train, *small_run(sets))
    assert status == 1 and "cannot read digits/1.0.0 train[:85%]" in err
    assert not (workplace / "runs").exists() and "Traceback" not in err
