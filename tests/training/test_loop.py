import json
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tests.helpers import small_runs
from tests.helpers.networks import application
from tests.helpers.run_contents import log_without_clock
from tests.helpers.small_runs import IMAGES, LABELS, PIXELS, metrics, recalls, start
from tests.helpers.tables import table
from triplet_train.console import SILENT, Console
from triplet_train.data.batches import PKBatches
from triplet_train.errors import RunError, Stopped
from triplet_train.models.tower import build_tower
from triplet_train.run.folder import RunFolder
from triplet_train.training import watch
from triplet_train.training.checkpoints import Checkpoints
from triplet_train.training.learner import Learner
from triplet_train.training.log import RunLog
from triplet_train.training.tracking import Tracking

COLOURED = table(np.concatenate([PIXELS, 255 - PIXELS, PIXELS // 2], 3).astype(np.uint8), LABELS)
EVERYTHING = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.batch_norm=true",
    "model.dropout=0.3",
    "optimizer.name=adamw",
    "optimizer.weight_decay=0.01",
    "optimizer.warmup_steps=2",
    "train.steps=12",
    "train.log_every=2",
    "train.eval_every=4",
    "train.checkpoint_every=3",
    "train.keep=2",
]
# Without what takes long to trace, and does not matter to the order of steps and files.
PLAIN = [*EVERYTHING, "model.batch_norm=false", "model.dropout=0", "optimizer={name: sgd}"]
IN_MICROBATCHES = [
    *("loss.strategy=naive", "train.microbatch=4", "optimizer.clip_norm=0.1"),
    *("train.precision=mixed_float16", "optimizer.name=sgd"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, digits_config):
    """The folder of a run that was left alone, not to be changed, its weights and state."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, *start(digits_config(*PLAIN), folder, evaluate=recalls(0.9, 0.2, 0.3))


def stop_at(number):
    """An evaluation that sends Ctrl-C during its nth call."""
    calls = iter(range(1, 100))

    def evaluate():
        if next(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return metrics()

    return evaluate


def with_keras_normalisation(*arguments, **options):
    """The tower as it was saved when Keras's own layer made the vectors' lengths one."""
    tower = build_tower(*arguments, **options)
    dense = tower.layers[-2].output
    vectors = keras.layers.UnitNormalization(dtype="float32", name="embedding")(dense)
    return keras.Model(tower.input, vectors, name="embedder")


def with_augmentation(*arguments, **options):
    """The tower behind a layer that shifts its images at random."""
    tower = build_tower(*arguments, **options)
    images = keras.Input(tower.input_shape[1:], dtype="uint8")
    return keras.Model(images, tower(keras.layers.RandomTranslation(0.2, 0.2)(images)))


@pytest.mark.parametrize(
    "more",
    [
        [*IN_MICROBATCHES, "augment={crop: 0.5, flip: horizontal}"],
        pytest.param(
            [*IN_MICROBATCHES, "augment={shift: 0.1, hue: 0.2, saturation: 0.5, blur: 1.0}"],
            marks=pytest.mark.slow,
        ),
        pytest.param(["model.tower=resnet", "loss.strategy=semi_hard"], marks=pytest.mark.slow),
    ],
    ids=["cnn", "colours", "resnet"],
)
def test_a_stopped_and_resumed_run_is_bit_identical_to_an_unbroken_one(
    tmp_path, digits_config, more
):
    config = digits_config(*EVERYTHING, *more)
    given = {"build": with_augmentation, "images": COLOURED}
    whole, best = start(config, tmp_path / "whole", **given)
    broken = {"folder": tmp_path / "broken", **given}
    with pytest.raises(Stopped, match=r"stopped at step 5 of 12.*\n.*--resume"):
        start(config, **broken, evaluate=stop_at(1))
    resumed, state = start(config, **broken, resume=True)
    assert state == best and state.step == 12
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert log_without_clock(tmp_path / "broken") == log_without_clock(tmp_path / "whole")


def test_a_step_that_a_thread_traced_ahead_is_the_same_and_is_not_traced_again(
    tmp_path, digits_config, whole, monkeypatch
):
    steps = []

    def ahead(*arguments):
        learner = Learner(*arguments)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(learner.trace_first_step, IMAGES.image_shape).result()
        (phase,) = learner.phases_after(0)
        steps.append(learner.step(phase.tower, False))
        return learner

    monkeypatch.setattr(small_runs, "Learner", ahead)
    weights, _ = start(digits_config(*PLAIN), tmp_path, evaluate=recalls(0.9, 0.2, 0.3))
    assert [step.experimental_get_tracing_count() for step in steps] == [1]
    for a, b in zip(whole[1], weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_that_began_with_keras_own_normalisation_resumes_to_the_same_result(
    tmp_path, digits_config, whole
):
    config, folder = digits_config(*PLAIN), tmp_path / "broken"
    with pytest.raises(Stopped):
        start(config, folder, build=with_keras_normalisation, evaluate=stop_at(1))
    resumed, _ = start(config, folder, resume=True, evaluate=recalls(0.2, 0.3))
    for a, b in zip(whole[1], resumed, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("float32", marks=pytest.mark.slow)]
)
def test_a_black_image_among_others_does_not_keep_them_from_being_learned(
    tmp_path, digits_config, precision
):
    """Without batch normalisation its vector is zero before the first step."""
    black = table(np.where(np.arange(60) > 0, PIXELS.T, 0).T.astype(np.uint8), LABELS)
    every = ["batch.classes=6", "batch.per_class=10", "train.log_every=1"]
    sgd = ["optimizer.name=sgd", "optimizer.learning_rate=0.05", "loss.strategy=semi_hard"]
    start(
        digits_config(*every, *sgd, f"train.precision={precision}"),
        tmp_path / "run",
        images=black,
    )
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line]
    assert all(0 < line["gradient_norm"] < 10 for line in training)
    assert training[-1]["loss"] < 0.95 * training[0]["loss"]


def with_kernel_times(factor):
    """A tower with its last kernel multiplied."""

    def build(*arguments, **options):
        tower = build_tower(*arguments, **options)
        kernel = tower.layers[-2].kernel
        kernel.assign(factor * kernel)
        return tower

    return build


@pytest.mark.parametrize(
    "precision, factor, in_a_row, message",
    [
        ("float32", 0, 16, "hardly trained: 8 of 8 steps .*gradient was 0.*--preview FILE.png"),
        # Short vectors have a large gradient.
        ("mixed_float16", 1e-6, 16, "hardly trained: 8 of 8 steps .*overflowed.*mixed_bfloat16"),
        ("mixed_float16", 1e-6, 5, r"no longer finite \(5 steps in a row\) at step 5, whose batch"),
    ],
)
def test_a_run_whose_steps_change_nothing_fails(
    tmp_path, digits_config, monkeypatch, precision, factor, in_a_row, message
):
    monkeypatch.setattr(watch, "_OVERFLOWS", in_a_row)
    every = ["batch.classes=6", "train.log_every=1", "model.batch_norm=false", "train.steps=8"]
    config = digits_config(*every, f"train.precision={precision}")
    with pytest.raises(RunError, match=message):
        start(config, tmp_path, build=with_kernel_times(factor))


FINE_TUNING = [
    *("model.init=of another run", "optimizer.backbone_rate=0.2", "optimizer.ema=0.5"),
    *("optimizer.clip_norm=0.1", "loss.strategy=naive"),
]


@pytest.mark.parametrize(
    "freeze, more",
    [
        (5, ["model.freeze_batch_norm=false"]),
        pytest.param(2, ["train.microbatch=4"], marks=pytest.mark.slow),
        pytest.param(7, ["train.precision=mixed_float16"], marks=pytest.mark.slow),
    ],
    ids=["at", "after", "before"],
)
def test_a_fine_tuned_run_that_stops_at_step_5_is_resumed_bit_for_bit(
    tmp_path, digits_config, freeze, more
):
    """Before, as and after its backbone thaws."""
    config = digits_config(*EVERYTHING, *FINE_TUNING, f"model.freeze_backbone={freeze}", *more)
    whole, best = start(config, tmp_path / "whole")
    with pytest.raises(Stopped):
        start(config, tmp_path / "broken", evaluate=stop_at(1))
    resumed, state = start(config, tmp_path / "broken", resume=True)
    assert state == best
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert log_without_clock(tmp_path / "broken") == log_without_clock(tmp_path / "whole")
    for step in (4, 12):  # the averages, too
        saved = [RunFolder(tmp_path / run).checkpoint(step) for run in ("whole", "broken")]
        one, other = (keras.models.load_model(each.embedder).get_weights() for each in saved)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_averages_are_evaluated_and_saved_and_the_weights_themselves_go_on(tmp_path, digits_config):
    often = ["train.steps=3", "train.eval_every=1", "train.checkpoint_every=1", "train.keep=9"]
    config = digits_config(*EVERYTHING, *often, "optimizer.ema=0.5", "loss.strategy=naive")
    towers, evaluated = [], []

    def build(*arguments, **options):
        towers.append(build_tower(*arguments, **options))
        return towers[0]

    def evaluate():
        evaluated.append([np.array(weight) for weight in towers[0].trainable_weights])
        return metrics()

    last, _ = start(config, tmp_path, evaluate=evaluate, build=build)
    averages = None
    for step in (1, 2, 3):
        checkpoint = RunFolder(tmp_path).checkpoint(step)
        saved = keras.models.load_model(checkpoint.embedder)
        with np.load(checkpoint.optimizer) as arrays:
            weights = [arrays[name] for name in arrays.files][-len(saved.trainable_weights) :]
        averages = [0.5 * a + 0.5 * w for a, w in zip(averages or weights, weights, strict=True)]
        given = zip(saved.trainable_weights, evaluated[step - 1], averages, strict=True)
        for of_file, of_evaluation, expected in given:
            np.testing.assert_array_equal(of_file, of_evaluation)
            np.testing.assert_allclose(of_file, expected, rtol=1e-6, atol=1e-7)
    for a, b in zip(weights, towers[0].trainable_weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(last, saved.get_weights(), strict=True))


@pytest.mark.slow
def test_a_stopped_and_resumed_run_with_a_frozen_backbone_is_bit_identical_too(
    tmp_path, digits_config
):
    application("MobileNet", channels=1).save_weights(tmp_path / "some.weights.h5")
    model = f"{{tower: MobileNet, weights: '{tmp_path}/some.weights.h5', freeze_backbone: true}}"
    few = ["train.steps=4", "train.eval_every=2", "train.checkpoint_every=2"]
    config = digits_config(*EVERYTHING[:2], f"model={model}", *EVERYTHING[3:], *few)
    whole, _ = start(config, tmp_path / "whole")
    with pytest.raises(Stopped):
        start(config, tmp_path / "broken", evaluate=stop_at(1))
    resumed, _ = start(config, tmp_path / "broken", resume=True)
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_newest_checkpoints_and_the_best_are_kept(whole):
    run, _, state = whole
    assert (state.best_step, state.best_metrics) == (4, metrics(0.9))
    checkpoints = Checkpoints(RunFolder(run), None, None, keep=2)
    assert checkpoints.steps() == [4, 9, 12]
    best = run / "checkpoints" / "best"
    assert best.resolve() == (run / "checkpoints/step_00000004").resolve()
    assert (run / "embedder.keras").read_bytes() == (best / "embedder.keras").read_bytes()
    assert not list(run.rglob("*.partial*"))


def test_training_without_a_better_evaluation_ends_early_and_goes_on_with_more_patience(
    tmp_path, digits_config, whole
):
    impatient, lines = digits_config(*PLAIN, "train.patience=1"), []
    run = {"folder": tmp_path, "console": Console(write=lines.append)}
    _, state = start(impatient, **run, evaluate=recalls(0.9, 0.2))
    assert (state.step, state.best_step, state.waited) == (8, 4, 1)
    assert lines[-1].startswith("ending at step 8 of 12: 1 evaluation without a better recall_at_1")
    again = {**run, "resume": True}
    assert start(impatient, **again)[1] == state  # as if killed before its files were written
    patient = digits_config(*PLAIN, "train.patience=9")
    weights, state = start(patient, **again, evaluate=recalls(0.3))
    assert state == whole[2] and state.waited == 2
    assert all((a == b).all() for a, b in zip(whole[1], weights, strict=True))
    assert log_without_clock(tmp_path) == log_without_clock(whole[0])


@pytest.mark.slow
def test_a_stopped_and_resumed_run_ends_early_at_the_step_of_an_unbroken_one(
    tmp_path, digits_config
):
    config = digits_config(*EVERYTHING, "train.steps=40", "train.patience=2")
    with pytest.raises(Stopped, match="stopped at step 9 of 40"):
        start(config, tmp_path, evaluate=stop_at(2))
    _, state = start(config, tmp_path, resume=True)
    assert (state.step, state.best_step) == (12, 4)


def test_the_best_step_has_the_best_value_of_the_chosen_metric(tmp_path, digits_config):
    values = [
        {"recall_at_1": 0.9, "map_at_r": 0.1, "eer": 0.3},
        {"recall_at_1": 0.5, "map_at_r": 0.4, "eer": 0.1},
        {"recall_at_1": 0.5, "map_at_r": 0.5, "eer": 0.1},  # of equal ones the highest map_at_r
    ]
    config, lines = digits_config(*PLAIN, "evaluation.best_metric=eer"), []
    log = {"console": Console(write=lines.append), "evaluate": iter(values).__next__}
    _, state = start(config, tmp_path, **log)
    assert (state.best_step, state.best_metrics) == (12, values[2])
    assert lines[-1].endswith(": eer 0.1000  recall_at_1 0.5000  map_at_r 0.5000  best so far")


def test_resuming_drops_the_log_lines_of_steps_that_are_done_again(tmp_path, digits_config, whole):
    run = shutil.copytree(whole[0], tmp_path / "run", symlinks=True)
    shutil.rmtree(run / "checkpoints/step_00000012")  # as if killed between steps 9 and 12
    with (run / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 12, "lo')  # in the middle of a line
    start(digits_config(*PLAIN), run, resume=True, evaluate=recalls(0.3))
    assert log_without_clock(run) == log_without_clock(whole[0])
    (file,) = (run / "tensorboard").glob("events.*")
    events = [e for e in EventFileLoader(str(file)).Load() if e.HasField("summary")]
    steps = [e.step for e in events if e.summary.value[0].tag == "train/loss"]
    assert steps == [2, 4, 6, 8, 10, 12]


def test_the_log_holds_every_metric_of_every_logged_step(whole):
    lines = [json.loads(line) for line in (whole[0] / "metrics.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line]
    assert [line["step"] for line in training] == [2, 4, 6, 8, 10, 12]
    assert [line["step"] for line in lines if "recall_at_1" in line] == [4, 8, 12]
    assert list((whole[0] / "tensorboard").glob("events.*"))


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_last_good_checkpoint(
    tmp_path, digits_config
):
    diverging = ["optimizer.name=sgd", "optimizer.learning_rate=1e30", "model.batch_norm=false"]
    rarely = [f"train.{what}_every=12" for what in ("log", "eval", "checkpoint")]
    config = digits_config(*EVERYTHING, *diverging, *rarely)
    with pytest.raises(RunError, match=r"the loss is nan at step 2, .*step_0*\. .*learning_rate"):
        start(config, tmp_path)
    rows = PKBatches(LABELS, classes=4, per_class=3, seed=config.seed).rows(1)
    failed = json.loads((tmp_path / "failed_batch.json").read_text())
    assert failed == {"step": 2, "ids": [f"row {row}" for row in rows]}


def test_resuming_a_run_that_was_killed_before_it_saved_anything_begins_it(
    tmp_path, digits_config, whole
):
    request = {"resume": True, "evaluate": recalls(0.9, 0.2, 0.3)}
    begun, _ = start(digits_config(*PLAIN), tmp_path / "begun", **request)
    assert all((a == b).all() for a, b in zip(whole[1], begun, strict=True))
    assert log_without_clock(tmp_path / "begun") == log_without_clock(whole[0])


def test_a_value_that_is_not_finite_is_null_in_the_log(tmp_path):
    metrics = {"loss": 0.5, "active_fraction": 1.0, "images_per_second": 9.0}
    with RunLog(RunFolder(tmp_path), 0, 10, SILENT, Tracking()) as log:
        log.training(5, metrics | {"gradient_norm": float("inf")}, seconds_left=0.0)
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["gradient_norm"] is None
