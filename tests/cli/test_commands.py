"""The three commands as a user meets them: what they write, say and refuse."""

import json
import os
import shutil
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from tests.helpers.networks import application
from tests.helpers.run_contents import contents
from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.config import load_config
from triplet_train.data.batches import make_batches
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError
from triplet_train.evaluation import METRICS, Coverage, retrieval_metrics
from triplet_train.jobs import report
from triplet_train.jobs.train import dry_run
from triplet_train.jobs.train.end import is_finished
from triplet_train.models.embedder import load_embedder
from triplet_train.report import plots_folder
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import Request
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.randomness import step_key

SMALL = [
    "batch.per_class=4",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "loss.strategy=naive",  # which is compiled soonest
    "train.steps=20",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]
METRIC_NAMES = {metric.name for metric in METRICS}
COUNTS = {
    *("queries", "query_classes", "queries_without_their_class", "query_classes_left_out"),
    "rows_without_label",
}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Saves seconds; tests/cli/test_report.py has them."""

    def empty(evaluated, file, title):
        file.touch()
        plots_folder(file).mkdir(exist_ok=True)

    monkeypatch.setattr(report, "write_page", empty)


def small_run(data_dir, *more):
    options = [part for key in SMALL for part in ("--set", key)]
    return ["--config", "digits_semihard", "--data-dir", data_dir, *options, *more]


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_run_leaves_what_the_documentation_promises(workplace, command, data_dir):
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
    # --overwrite takes these, and the rows of a batch that failed.
    assert names | {"failed_batch.json"} == {path.name for path in RunFolder(folder).entries}
    assert {p.name for p in (folder / "embeddings").iterdir()} == {"test.parquet", "test.npz"}
    assert (folder / "tensorboard/test.projector/sprite.png").exists()
    assert (
        "test.projector/vectors.tsv" in (folder / "tensorboard/projector_config.pbtxt").read_text()
    )
    figures = json.loads((folder / "metrics.json").read_text())
    more = {"step", "steps", "split", "splits", "intervals", "thresholds", *COUNTS}
    assert set(figures) == METRIC_NAMES | more and figures["split"] == "test"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["tensorflow"] and "digits_semihard" in environment["command"]
    assert "recall@1" in out and "triplet-embed --checkpoint runs/digits_semihard" in out
    assert "step 20/20" in err and "images/s" in err and "left" in err

    # The resolved configuration alone makes the same run again.
    again = ["--config", folder / "config.yaml", "--run-dir", "again", "--quiet"]
    status, out, err = command(train, *again)
    assert (status, err) == (0, "")
    first, second = (read_table(f / "embeddings/test.npz") for f in (folder, workplace / "again"))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)


def test_a_run_is_never_touched_unasked_nor_what_the_user_put_into_its_folder(
    workplace, command, finished_run, monkeypatch
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    before = everything_below(workplace)
    request = ["--config", "run/config.yaml", "--run-dir", "run"]
    status, _, err = command(train, *request)
    assert status == 2 and "--resume" in err and "--overwrite" in err
    assert err.count("\n") == 1 and everything_below(workplace) == before
    status, out, _ = command(train, *request, "--resume")
    assert status == 0 and "finished" in out and everything_below(workplace) == before
    status, _, err = command(train, *request, "--resume", "--set", "loss.margin=0.9")
    assert status == 2 and "loss.margin: 0.3 -> 0.9" in err
    status, _, err = command(train, *request, "--resume", "--overwrite")
    assert status == 2 and everything_below(workplace) == before
    (workplace / "run/notes.txt").write_text("mine")
    os.chdir(workplace / "run")
    titles = []
    monkeypatch.setattr(report, "write_page", lambda evaluated, file, title: titles.append(title))
    more = ["--run-dir", ".", "--overwrite", "--set", "train.steps=2"]
    assert command(train, "--config", "config.yaml", *more)[0] == 0
    assert load_config("config.yaml").train.steps == 2 and titles == ["run: test"]
    assert (workplace / "run/notes.txt").read_text() == "mine"
    assert not (workplace / "run/checkpoints/step_00000020").exists()


def test_a_folder_that_is_not_a_run_is_never_replaced(workplace, command, data_dir):
    (workplace / "thesis.txt").write_text("years of work")
    status, _, err = command(train, *small_run(data_dir, "--run-dir", ".", "--overwrite"))
    assert status == 2 and "other than a run" in err
    assert [path.name for path in workplace.iterdir()] == ["thesis.txt"]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(workplace, command):
    sets = workplace / "sets"
    status, out, err = command(train, *small_run(sets, "--dry-run"))
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["train"]["steps"] == 20
    for fact in (
        "1,145 images",
        "202 images",
        "450 images",
        "10 classes",
        "steps      20",
        "parameters",
        "augment    nothing",
    ):
        assert fact in out
    assert not any(workplace.iterdir())


def test_a_dry_run_shows_progress_unless_it_is_to_be_quiet(
    workplace, command, data_dir, monkeypatch
):
    asked = []

    def opened(data, console, write):
        asked.append(console.quiet)
        raise RequestError("enough")

    monkeypatch.setattr(dry_run, "open_source", opened)
    for more in ([], ["--quiet"]):
        assert command(train, *small_run(data_dir, "--dry-run", *more))[0] == 2
    assert asked == [False, True]


PREVIEW = ["--dry-run", "--preview", "sheet.png"]
AUGMENT = ["--set", "augment={rotate: 30, erase: 0.3}"]


def test_a_preview_shows_the_images_that_the_first_step_gives_to_the_tower(
    workplace, command, data_dir, digits_config
):
    status, out, _ = command(train, *small_run(data_dir, *AUGMENT, *PREVIEW))
    assert status == 0 and "augment    rotate 30.0, erase 0.3\n" in out and "sheet.png" in out
    assert [path.name for path in workplace.iterdir()] == ["sheet.png"]
    config = digits_config("augment={rotate: 30, erase: 0.3}")
    images = open_source(config.data).table(config.data.train_split)
    rows = make_batches(config, images.labels).rows(0)
    augment = make_augmentation(config.augment)
    key = step_key(config.seed, tf.constant(0))
    given = augment(tf.constant(images.read(rows)), key, tf.range(40), 40).numpy()
    sheet = np.asarray(Image.open("sheet.png").convert("L"))
    for number, image in enumerate(given):  # eight times as large, from the right
        top, right = number // 4 * 66, sheet.shape[1] - 2 - (3 - number % 4) * 66
        shown = sheet[top : top + 64, right - 64 : right]
        np.testing.assert_array_equal(shown, image[..., 0].repeat(8, 0).repeat(8, 1))


def test_judging_and_exporting_take_images_as_they_are(workplace, command, data_dir):
    strong = "augment={rotate: 90, shift: 0.5, flip: both, contrast: 0.9, erase: 0.9}"
    more = ["--set", strong, "--set", "train.steps=2", "--set", "embeddings.formats=[npz]"]
    assert command(train, *small_run(data_dir, *more))[0] == 0
    run = workplace / "runs/digits_semihard"
    tower = load_embedder(run)
    source = open_source(load_config(str(run / "config.yaml")).data)
    exported, judged = (source.table(split) for split in ("test", "train[85%:]"))
    table = read_table(run / "embeddings/test.npz")
    np.testing.assert_allclose(table.embeddings, tower(pixels(exported)), atol=1e-6)
    figures = retrieval_metrics(tower(pixels(judged)).numpy(), judged.labels)
    logged = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {key: logged[key] for key in figures} == pytest.approx(figures, abs=1e-6)


def test_a_preview_is_replaced_only_with_overwrite(workplace, command, data_dir):
    (workplace / "sheet.png").write_text("mine")
    status, _, err = command(train, *small_run(data_dir, *PREVIEW))
    assert status == 2 and "sheet.png exists" in err
    assert (workplace / "sheet.png").read_text() == "mine"
    assert command(train, *small_run(data_dir, *PREVIEW, "--overwrite"))[0] == 0
    assert Image.open("sheet.png").size > (4 * 64, 10 * 64)


def test_a_preview_of_a_set_that_is_not_on_disk_says_so_and_writes_nothing(workplace, command):
    request = ["--set", "data.dataset=mnist", *PREVIEW]
    status, _, err = command(train, *small_run(workplace / "sets", *request))
    assert status == 2 and "--preview needs the images of mnist/3.0.1" in err
    assert not any(workplace.iterdir())


@pytest.mark.slow
def test_a_dry_run_says_what_is_trained_of_a_tower_with_a_frozen_backbone(workplace, command):
    application("MobileNet", channels=1).save_weights("some.weights.h5")
    model = "model={tower: MobileNet, weights: some.weights.h5, freeze_backbone: true}"
    more = ["--set", model, "--set", "data.image_size=[32,32]", "--dry-run"]
    status, out, err = command(train, *small_run(workplace / "sets", *more))
    assert (status, err) == (0, "")
    assert "tower      MobileNet: 32 x 32 x 1 -> 64, 3,293,888 parameters, 65,600 trained\n" in out


@pytest.mark.parametrize("name", ["out.parquet", "out.npz", "out"])
def test_embeddings_of_any_split_are_exported_in_every_format(
    workplace, command, finished_run, data_dir, name
):
    format_ = ["--format", "projector"] if name == "out" else []
    request = ["--checkpoint", finished_run, "--output", name, "--split", "train[:30]", *format_]
    status, out, _ = command(embed, *request)
    assert (status, out) == (0, f"{name}: 30 vectors of 16 dimensions\n")
    assert [path.name for path in workplace.iterdir()] == [name]
    if name != "out":
        table = read_table(workplace / name)
        assert table.embeddings.shape == (30, 16) and len(set(table.ids)) == 30
        np.testing.assert_allclose(np.linalg.norm(table.embeddings, axis=1), 1, atol=1e-6)
        about = table.metadata
        assert (about["dataset"], about["split"]) == ("digits/1.0.0", "train[:30]")
        assert about["config"]["model"]["embedding_dim"] == 16
        assert len(about["checkpoint_sha256"]) == 64
    status, _, err = command(embed, *request)
    assert status == 2 and "--overwrite" in err
    assert command(embed, *request, "--overwrite")[0] == 0


def test_an_export_is_the_same_from_run_checkpoint_and_file_and_equals_the_run_s_own(
    workplace, command, finished_run, data_dir
):
    own = pq.read_table(finished_run / "embeddings/test.parquet").to_pydict()
    places = {
        "run": [finished_run],
        "best": [finished_run / "checkpoints/best"],
        "file": [finished_run / "embedder.keras"],
    }
    for name, (place,) in places.items():
        assert command(embed, "--checkpoint", place, "--output", f"{name}.parquet")[0] == 0
        assert pq.read_table(f"{name}.parquet").to_pydict() == own


def test_a_bare_keras_file_asks_for_its_data_set(workplace, command, finished_run, data_dir):
    shutil.copy(finished_run / "embedder.keras", "tower.keras")
    request = ["--checkpoint", "tower.keras", "--output", "x.npz"]
    status, _, err = command(embed, *request)
    assert status == 2 and "--dataset" in err
    assert command(embed, *request, "--dataset", "digits", "--data-dir", data_dir)[0] == 0
    assert read_table(workplace / "x.npz").metadata["config"] is None


def test_a_keras_file_that_was_put_into_a_run_is_not_taken_for_its_tower(
    workplace, command, finished_run
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    shutil.copy(finished_run / "embedder.keras", "run/mine.keras")
    status, _, err = command(embed, "--checkpoint", "run/mine.keras", "--output", "x.npz")
    assert status == 2 and "--dataset" in err
    (workplace / "run").rename("checkpoints")  # a name that a user may give too
    assert command(evaluate, "--checkpoint", "checkpoints/embedder.keras", "--quiet")[0] == 0


def test_a_data_set_of_other_size_is_brought_to_the_tower(
    workplace, command, finished_run, mnist_dir
):
    request = ["--checkpoint", finished_run, "--dataset", "mnist", "--data-dir", mnist_dir]
    status, _, err = command(embed, *request, "--split", "test[:20]", "--output", "x.npz")
    assert status == 0, err
    assert read_table(workplace / "x.npz").embeddings.shape == (20, 16)


def test_a_run_says_over_how_many_queries_and_classes_its_metrics_are(workplace, command, data_dir):
    part = "test[:12]"
    changes = [f"data.eval_split={part}", f"embeddings.splits=['{part}']", "train.steps=1"]
    changes += ["embeddings.formats=[npz]"]
    options = [word for change in changes for word in ("--set", change)]
    status, out, err = command(train, *small_run(data_dir, *options))
    assert status == 0, err
    expected = Coverage(5, 2, 7, 7)  # 3, 6 and seven digits that are there once
    assert f"  ({expected})  best so far" in err
    assert f"  ({expected})\n" in out
    run = workplace / "runs/digits_semihard"
    last_line = (run / "metrics.jsonl").read_text().splitlines()[-1]
    for found in (json.loads((run / "metrics.json").read_text()), json.loads(last_line)):
        assert Coverage.of_counts(found) == expected


def test_a_signal_to_stop_saves_the_step_and_resume_goes_on(
    workplace, command, data_dir, monkeypatch
):
    from triplet_train.training import log, loop

    judge = loop._evaluate
    request = small_run(data_dir, "--set", "train.eval_every=5")
    for number, ends_with, step, more in (
        (signal.SIGINT, 130, 6, []),
        (signal.SIGHUP, 129, 11, ["--resume"]),
    ):

        def send_signal(*arguments, number=number):
            signal.raise_signal(number)
            return judge(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "_evaluate", send_signal)
            status, _, err = command(train, *request, *more)
        assert status == ends_with and f"stopped at step {step} of 20" in err and "--resume" in err
    with monkeypatch.context() as patch:  # the reader of what is said is gone
        patch.setattr(
            log.RunLog, "say", lambda self, line: vars(self).update(unheard=signal.SIGPIPE)
        )
        assert command(train, *request, "--resume")[0] == 128 + signal.SIGPIPE
    assert (workplace / "runs/digits_semihard/checkpoints/step_00000012").is_dir()
    status, _, err = command(train, *request, "--resume", "--set", "train.steps=11")
    assert status == 2 and "train.steps: 20 -> 11" in err
    status, out, err = command(train, *request, "--resume", "--set", "train.steps=14")
    assert status == 0 and "recall@1" in out and "another train.steps: 20 -> 14" in err
    assert "warning: the learning rate" in err  # of a cosine schedule


def test_two_slices_of_a_split_are_exported_to_two_files_and_a_lone_row_without_figures(
    workplace, command, finished_run
):
    folder = workplace / "run"
    shutil.copytree(finished_run, folder, symlinks=True)
    shutil.rmtree(folder / "embeddings")
    splits = "embeddings.splits=['test[:90%]', 'test[90%:]', 'train[:1]']"
    more = ["--set", splits, "--set", "embeddings.formats=[npz]", "--resume"]
    request = ["--config", "run/config.yaml", "--run-dir", "run", *more]
    status, out, _ = command(train, *request)
    assert status == 0 and "train[:1]: no metrics, since no two images share a class" in out
    rows = {path.name: len(read_table(path).ids) for path in (folder / "embeddings").iterdir()}
    assert rows == {"test_-90%.npz": 405, "test_90%-.npz": 45, "train_-1.npz": 1}
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["recall_at_1"] == figures["splits"]["test[:90%]"]["recall_at_1"]
    assert figures["splits"]["train[:1]"] == {}


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("out", ["--format", "projector"], "folder with other content, which is not replaced"),
        ("out.npz", [], "folder; give the name of a file"),
    ],
)
def test_overwriting_never_takes_a_folder_that_is_not_an_export(
    workplace, command, finished_run, name, options, message
):
    (workplace / name).mkdir()
    (workplace / name / "thesis.txt").write_text("years of work")
    request = ["--checkpoint", finished_run, "--output", name, "--overwrite", *options]
    status, _, err = command(embed, *request)
    assert status == 2 and f"{name} is a {message}" in err
    json_ = ["--checkpoint", finished_run, "--json", name, "--overwrite"]
    assert command(evaluate, *json_)[0] == 2
    assert (workplace / name / "thesis.txt").read_text() == "years of work"


def test_weights_that_are_not_finite_fail_the_run_and_are_not_kept(workplace, command, data_dir):
    more = ["optimizer.name=sgd", "optimizer.learning_rate=1e38", "train.steps=1"]
    options = [part for key in more for part in ("--set", key)]
    status, _, err = command(train, *small_run(data_dir, *options))
    assert status == 1 and "finite" in err and "step 1" in err and "Traceback" not in err
    assert "the newest good checkpoint is runs/digits_semihard/checkpoints/step_00000000" in err
    kept = (workplace / "runs/digits_semihard/checkpoints").iterdir()
    assert [path.name for path in kept] == ["step_00000000"]


def resume_copy_of(finished_run, workplace, command, damage, *more):
    """Exit status, stderr and folder of a copy of the run that was damaged before its end."""
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    (workplace / "run/metrics.json").unlink()
    damage(workplace / "run/checkpoints")
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume", *more]
    status, _, err = command(train, *request)
    return status, err, workplace / "run"


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(workplace, command, finished_run):
    def damage(folder):  # of each of its parts: tests/training/test_checkpoints.py
        (folder / "step_00000020/embedder.keras").write_bytes(b"PK half")

    status, err, run = resume_copy_of(finished_run, workplace, command, damage)
    assert status == 0 and "Traceback" not in err
    assert "step_00000020 is damaged" in err
    assert "resuming from run/checkpoints/step_00000010" in err
    assert contents(run) == contents(finished_run)
    environment = json.loads((run / "environment.json").read_text())
    begun = json.loads((finished_run / "environment.json").read_text())
    (resumed,) = environment.pop("resumed")
    assert environment == begun and resumed.keys() == begun.keys() - {"rows_sha256", "classes"}


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_is_done_again(workplace, command, finished_run):
    status, err, run = resume_copy_of(
        finished_run, workplace, command, lambda folder: shutil.rmtree(folder / "step_00000020")
    )
    assert status == 0 and "resuming from run/checkpoints/step_00000010" in err
    assert contents(run) == contents(finished_run)


def test_no_checkpoint_that_can_be_read_is_an_error(workplace, command, finished_run):
    status, err, run = resume_copy_of(finished_run, workplace, command, shutil.rmtree)
    assert status == 1 and "run holds no readable checkpoint" in err
    assert not (run / "checkpoints").exists()


def test_a_best_checkpoint_that_is_damaged_is_said_and_chosen_anew(
    workplace, command, finished_run
):
    def damage(folder):
        state = folder / "step_00000020/state.json"
        other = {"best_step": 10, "best_sha256": "of a tower that is lost"}
        state.write_text(json.dumps(json.loads(state.read_text()) | other))
        (folder / "step_00000010/embedder.keras").write_bytes(b"PK half")

    status, err, run = resume_copy_of(finished_run, workplace, command, damage)
    assert status == 0 and "step_00000010/embedder.keras, the best so far, is damaged" in err
    assert json.loads((run / "metrics.json").read_text())["step"] == 20


@pytest.mark.slow
def test_a_finished_run_goes_on_when_it_is_given_more_steps(
    workplace, command, data_dir, finished_run
):
    constant = ["--set", "optimizer.schedule=constant"]
    whole = ["--run-dir", "whole", "--set", "train.steps=30", *constant]
    assert command(train, *small_run(data_dir, *whole))[0] == 0
    assert command(train, *small_run(data_dir, "--run-dir", "run", *constant))[0] == 0
    more = ["--run-dir", "run", "--resume", *constant, "--set"]
    status, _, err = command(train, *small_run(data_dir, *more, "train.steps=10"))
    assert status == 2 and "train.steps: 20 -> 10" in err
    status, _, err = command(train, *small_run(data_dir, *more, "train.steps=30"))
    assert status == 0 and "another train.steps: 20 -> 30" in err and "warning" not in err
    tables = [read_table(workplace / name / "embeddings/test.npz") for name in ("run", "whole")]
    assert (tables[0].embeddings == tables[1].embeddings).all()
    assert load_config("run/config.yaml").train.steps == 30
    status, out, _ = command(train, *small_run(data_dir, *more, "train.steps=30"))
    assert status == 0 and "finished" in out


def test_a_finished_run_exports_what_it_is_asked_for_later(workplace, command, finished_run):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    status, _, err = command(train, *request, "--set", "embeddings.splits=['train[:30]']")
    assert status == 0 and "another embeddings.splits" in err and "step 20/20" not in err
    assert len(read_table(workplace / "run/embeddings/train_-30.npz").ids) == 30


def test_a_page_that_was_not_drawn_to_its_end_is_drawn_when_the_run_is_resumed(
    workplace, command, finished_run, monkeypatch
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    request += ["--set", "embeddings.splits=['train[:30]']"]

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_page", interrupted)
        assert command(train, *request)[0] == 130
    assert not (workplace / "run/report.html").exists()
    status, out, _ = command(train, *request)
    assert status == 0 and "nothing to resume" not in out
    assert (workplace / "run/report.html").exists()


def test_damaged_figures_of_a_finished_run_are_made_anew(workplace, command, finished_run):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    figures = workplace / "run/metrics.json"
    finished = Request(load_config("run/config.yaml"), RunFolder(workplace / "run"))
    for damage in ("[]", '{"steps": 20, "splits": 3}'):
        figures.write_text(damage)
        assert not is_finished(finished)
    figures.write_text("{")
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    assert command(train, *request)[0] == 0
    assert figures.read_bytes() == (finished_run / "metrics.json").read_bytes()


def test_a_configuration_of_another_result_is_refused_with_all_differences(
    workplace, command, finished_run
):
    more = [
        part for key in ("train.keep=9", "seed=3", "augment.erase=0.1") for part in ("--set", key)
    ]
    status, err, run = resume_copy_of(finished_run, workplace, command, lambda _: None, *more)
    assert status == 2 and not (run / "metrics.json").exists()
    assert "seed: 0 -> 3" in err and "train.keep: 3 -> 9  (this key may change)" in err
    assert "augment.erase: 0.0 -> 0.1\n" in err


def test_a_run_killed_before_it_pointed_to_its_best_checkpoint_heals_when_resumed(
    workplace, command, finished_run
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    for name in ("metrics.json", "embedder.keras", "checkpoints/best"):
        (workplace / "run" / name).unlink()
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    assert command(train, *request)[0] == 0
    for name in ("metrics.json", "embedder.keras"):
        assert (workplace / "run" / name).read_bytes() == (finished_run / name).read_bytes()


def test_a_damaged_data_set_is_named(workplace, command, data_dir):
    sets = workplace / "sets"
    shutil.copytree(data_dir, sets)
    (file,) = sets.rglob("digits-train.tfrecord-00000-of-00001")
    file.write_bytes(file.read_bytes()[:5000])
    status, _, err = command(train, *small_run(sets))
    assert status == 1 and "digits/1.0.0 train[:85%] cannot be read" in err
    assert not (workplace / "runs").exists() and "Traceback" not in err
