"""The functions of Python do what the commands do, and leave the process as it was."""

import json
import logging
import random
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import yaml

import triplet_train
from tests.helpers.commands import SMALL
from tests.helpers.made_sets import make_folder
from tests.helpers.run_contents import contents
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError, RunError, Stopped
from triplet_train.jobs.embed.request import EmbedRequest
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.train.held_out import HeldOut

ROOT = Path(__file__).parents[1]
# The overrides of the fixture `finished_run`, as values of Python.
KEYS = {
    key: yaml.safe_load(text)
    for key, _, text in (each.partition("=") for each in [*SMALL, "train.log_every=5"])
}


def small(folder, data_dir, **more):
    return triplet_train.train(
        "digits_semihard", folder, data_dir=data_dir, quiet=True, **{**KEYS, **more}
    )


def in_a_fresh_process(code, *arguments):
    program = [sys.executable, "-c", code, *map(str, arguments)]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_import_loads_next_to_nothing_and_files_are_evaluated_without_tensorflow(finished_run):
    code = """if True:
        import sys, triplet_train
        assert {"train", "embed", "evaluate", "load_embedder"} < {*dir(triplet_train)}
        assert not {"numpy", "pydantic", "triplet_train.config"} & {*sys.modules}
        found = triplet_train.evaluate(queries=sys.argv[1], quiet=True)
        assert not {"keras", "tensorflow"} & {*sys.modules}
        print(found["recall_at_1"])
    """
    metrics = json.loads((finished_run / "metrics.json").read_text())
    found = in_a_fresh_process(code, finished_run / "embeddings/test.npz")
    assert float(found) == metrics["recall_at_1"]


@pytest.mark.parametrize(
    "main, arguments, call",
    [
        (train, ["--config", "missing"], lambda: triplet_train.train("missing")),
        (
            train,
            ["--config", "digits_semihard", "--set", "loss.margni=0.3", "--set", "train.steps=0"],
            lambda: triplet_train.train(
                "digits_semihard", loss={"margni": 0.3}, **{"train.steps": 0}
            ),
        ),
        (
            train,
            ["--config", "digits_semihard", "--run-dir", "new", "--resume"],
            lambda: triplet_train.train("digits_semihard", "new", resume=True),
        ),
        (
            embed,
            ["--checkpoint", "new", "--output", "vectors.csv"],
            lambda: triplet_train.embed("new", "vectors.csv"),
        ),
        (embed, ["--checkpoint", "new", "--output", "x.npz"], lambda: triplet_train.embed("new")),
        (
            evaluate,
            ["--checkpoint", "new", "--queries", "x.npz"],
            lambda: triplet_train.evaluate("new", queries="x.npz"),
        ),
        (
            evaluate,
            ["--queries", "x.npz", "--set", "evaluation.recall_at=[0]"],
            lambda: triplet_train.evaluate(queries="x.npz", evaluation={"recall_at": [0]}),
        ),
    ],
)
def test_a_wrong_request_is_refused_with_the_message_of_the_command(
    workplace, command, main, arguments, call
):
    status, _, err = command(main, *arguments)
    with pytest.raises(RequestError) as refused:
        call()
    assert status == 2 and err.partition(": ")[2] == f"{refused.value}\n"
    assert not any(workplace.iterdir())


def test_an_option_that_a_function_does_not_have_is_an_error_of_its_type():
    for call in (triplet_train.embed, triplet_train.evaluate):
        with pytest.raises(TypeError, match="spilt"):
            call("runs/demo", spilt="test")
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = triplet_train.trian


def test_numbers_that_the_commands_refuse_as_they_parse_them_are_refused(tmp_path):
    with pytest.raises(RequestError, match="--batch-size 0: must be at least 1"):
        triplet_train.embed(tmp_path, tmp_path / "x.npz", batch_size=0)
    with pytest.raises(RequestError, match="--top 0: must be at least 1"):
        triplet_train.evaluate(tmp_path, neighbours=tmp_path / "n.npz", top=0)


@pytest.mark.usefixtures("without_pages")
def test_a_run_has_the_bits_of_any_other_and_leaves_the_process_as_it_was(
    tmp_path, data_dir, finished_run, capfd
):
    def process():
        return (
            random.getstate(),
            [*map(str, np.random.get_state())],
            logging.getLogger("tensorflow").level,
            keras.config.dtype_policy().name,
            [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))],
        )

    before = process()
    run = small(tmp_path / "run", data_dir)
    assert process() == before and capfd.readouterr() == ("", "")
    assert contents(tmp_path / "run") == contents(finished_run)
    assert run.metrics == json.loads((tmp_path / "run/metrics.json").read_text())
    recall = run.metrics["recall_at_1"]
    assert f"recall_at_1={recall:.6g}" in repr(run) and f"recall_at_1 {recall:.4f}" in run.summary
    with pytest.raises(RequestError, match="holds a run"):
        small(run, data_dir)


def interrupted(monkeypatch, number):
    """Send a signal during the first evaluation of a run."""
    evaluation = HeldOut.evaluation

    def interrupting(self, *arguments):
        evaluate = evaluation(self, *arguments)

        def evaluate_once():
            monkeypatch.undo()
            signal.raise_signal(number)
            return evaluate()

        return evaluate_once

    monkeypatch.setattr(HeldOut, "evaluation", interrupting)


@pytest.mark.slow
@pytest.mark.usefixtures("without_pages")
def test_an_interrupt_saves_the_step_and_a_thread_may_finish_the_run(
    tmp_path, data_dir, finished_run
):
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt, match="stopped at step 11 of 20, which is saved"):
            small(tmp_path / "run", data_dir)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(small(tmp_path / "run", data_dir, resume=True))
    )
    thread.start()
    thread.join()
    assert found[0].metrics == json.loads((finished_run / "metrics.json").read_text())
    assert contents(tmp_path / "run")["embeddings"] == contents(finished_run)["embeddings"]


@pytest.mark.slow
@pytest.mark.usefixtures("without_pages")
def test_another_signal_saves_the_step_and_then_does_what_it_did_before(tmp_path, data_dir):
    saved = []
    handler = signal.signal(
        signal.SIGTERM,
        lambda *_: saved.append((tmp_path / "run/checkpoints/step_00000011").exists()),
    )
    try:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped, match="step 11 of 20"):
            interrupted(patch, signal.SIGTERM)
            small(tmp_path / "run", data_dir)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert saved == [True]


def test_embeddings_are_those_of_the_file_of_the_run(tmp_path, data_dir, finished_run, capsys):
    stored = read_table(finished_run / "embeddings/test.parquet")
    table = triplet_train.embed(finished_run, quiet=True)
    assert repr(table) == "<EmbeddingTable: 450 vectors of 16 dimensions>"
    np.testing.assert_array_equal(table.embeddings, stored.embeddings)
    np.testing.assert_array_equal(table.labels, stored.labels)
    assert (table.ids, table.label_names) == (stored.ids, stored.label_names)
    assert capsys.readouterr().out == ""

    file = triplet_train.embed(finished_run, tmp_path / "few.npz", split="test", classes=["3", 5])
    assert file == tmp_path / "few.npz" and {*read_table(file).label_names} == {"3", "5"}
    assert capsys.readouterr().out.endswith("few.npz: 92 vectors of 16 dimensions\n")


def test_images_that_cannot_be_read_are_named_and_with_a_file_the_others_are_written(
    tmp_path, finished_run
):
    make_folder(tmp_path / "photos", ["a/1.png", "a/2.png"], size=(8, 8))
    (tmp_path / "photos/a/3.png").write_text("no image")
    with pytest.raises(RunError, match=r"3\.png") as raised:
        triplet_train.embed(finished_run, images=tmp_path / "photos", quiet=True)
    assert "embeddings.parquet" not in str(raised.value)
    file = tmp_path / "photos.parquet"
    with pytest.raises(RunError, match="1 of 3 images cannot be read"):
        triplet_train.embed(finished_run, file, images=str(tmp_path / "photos"), quiet=True)
    assert read_table(file).ids == ["a/1.png", "a/2.png"]


def test_metrics_are_those_of_the_command_under_the_same_names(
    workplace, command, finished_run, capfd
):
    arguments = ["--checkpoint", finished_run, "--json", "a.json", "--episodes", "20"]
    sets = ["--set", "evaluation.recall_at=[1, 3]", "--set", "evaluation.nmi=false"]
    _, out, _ = command(evaluate, *arguments, *sets)
    keys = {"recall_at": [1, 3], "nmi": False}
    found = triplet_train.evaluate(finished_run, json="b.json", episodes=20, evaluation=keys)
    assert capfd.readouterr().out == out
    assert json.loads(json.dumps(found)) == json.loads(Path("a.json").read_text())
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert "recall_at_3" in found and "recall_at_5" not in found


def test_a_process_with_another_backend_of_keras_is_refused(monkeypatch, finished_run):
    other = SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setitem(sys.modules, "keras", other)
    with pytest.raises(RequestError, match="already imported with the backend jax"):
        triplet_train.load_embedder(finished_run)


@pytest.mark.parametrize("name", triplet_train.__all__)
def test_what_is_public_says_what_it_takes_gives_and_raises(name):
    text = getattr(triplet_train, name).__doc__
    if name in ("train", "embed", "evaluate"):
        assert all(f"\n    {part}:\n" in text for part in ("Args", "Returns", "Raises"))
        assert "RequestError" in text and "KeyboardInterrupt" in text and "quiet:" in text
    else:
        assert text


def test_the_page_names_every_option_that_the_functions_take():
    page = (ROOT / "docs/python.md").read_text()
    for request in (EmbedRequest, EvaluationRequest):
        for field in fields(request):
            named = {"set_": "evaluation", "more": "against"}.get(field.name, field.name)
            assert f"`{named}`" in page, named


@pytest.mark.slow
def test_two_runs_in_one_process_have_the_bits_of_two_commands_in_any_dtype_policy(
    tmp_path, data_dir
):
    code = """if True:
        import json, sys
        import keras
        import triplet_train

        keras.config.set_dtype_policy("mixed_bfloat16")
        keys = json.loads(sys.argv[3])
        for precision in ("mixed_bfloat16", "float32"):
            keys["train.precision"] = precision
            run = f"{sys.argv[1]}/python_{precision}"
            triplet_train.train("digits_semihard", run, data_dir=sys.argv[2], **keys)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    """
    in_a_fresh_process(code, tmp_path, data_dir, json.dumps(KEYS))
    program = "from triplet_train.cli.start import train; train()"
    for precision in ("mixed_bfloat16", "float32"):
        sets = [f"{key}={json.dumps(value)}" for key, value in KEYS.items()]
        sets.append(f"train.precision={precision}")
        options = ["--data-dir", data_dir, "--run-dir", tmp_path / f"command_{precision}"]
        options += [part for each in sets for part in ("--set", each)]
        in_a_fresh_process(program, "--config", "digits_semihard", *options)
        one, other = (contents(tmp_path / f"{by}_{precision}") for by in ("python", "command"))
        assert one == other
