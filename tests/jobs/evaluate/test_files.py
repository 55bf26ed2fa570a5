"""Evaluation of runs and of files, as text and as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.commands import COUNTS, METRIC_NAMES
from tests.helpers.made_files import embedding_file
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table, write_table
from triplet_train.evaluation.metrics import METRICS, Source


def test_a_checkpoint_and_its_exported_file_are_evaluated_alike(workplace, command, finished_run):
    status, out, _ = command(evaluate, "--checkpoint", finished_run, "--json", "a.json")
    assert status == 0 and "recall_at_1" in out
    file = finished_run / "embeddings/test.npz"
    assert command(evaluate, "--queries", file, "--json", "b.json")[0] == 0
    assert command(evaluate, "--queries", file, "--gallery", file, "--json", "c.json")[0] == 0
    answers = [json.loads((workplace / f"{name}.json").read_text()) for name in "abc"]
    run = json.loads((finished_run / "metrics.json").read_text())
    for answer in answers:
        assert {name: answer[name] for name in METRIC_NAMES} == {
            name: run[name] for name in METRIC_NAMES
        }
        assert answer["queries"] == 450 and answer["queries_without_their_class"] == 0
    abouts = {"checkpoint", "dataset", "split", "queries_file"}
    findings = [{key: answer[key] for key in answer.keys() - abouts} for answer in answers]
    assert findings[0] == findings[1] == findings[2]


def test_the_json_holds_everything_that_is_printed(workplace, command, finished_run):
    file = finished_run / "embeddings/test.parquet"
    status, out, _ = command(evaluate, "--queries", file, "--json", "a.json")
    answer = json.loads((workplace / "a.json").read_text())
    assert status == 0 and answer.keys() == METRIC_NAMES | {
        *COUNTS,
        *(
            "queries_file",
            "checkpoint_sha256",
            "flip",
            "intervals",
            "thresholds",
            "notes",
            "classes_left_out",
            "classes",
            "confusions",
            "distances",
        ),
    }
    for name in METRIC_NAMES:
        assert f"{answer[name]:.4f}" in out
    assert set(answer["thresholds"]) == {"eer", "fpr_1e-2", "fpr_1e-3", "accuracy"}
    assert all(f"{distance:.4g}" in out for distance in answer["thresholds"].values())
    assert sum(row["queries"] for row in answer["classes"]) == 450
    assert sum(answer["distances"]["positive"] + answer["distances"]["negative"]) == 450 * 449 / 2


def test_the_metrics_are_those_of_the_run_unless_others_are_asked_for(
    workplace, command, finished_run
):
    table = read_table(finished_run / "embeddings/test.npz")
    section = {"recall_at": [1, 30], "best_metric": "recall_at_30", "queries": 9}
    config = table.metadata["config"] | {"evaluation": section}
    for file, known in (("run.npz", config), ("other.npz", None)):
        changed = replace(table, metadata=table.metadata | {"config": known})
        write_table(changed, workplace / file, "npz")
    for file, more, numbers in (
        ("run.npz", [], [1, 30]),
        ("run.npz", ["--set", "evaluation={recall_at: [7], precision_at: [3]}"], [1, 7]),
        ("other.npz", [], [1, 5, 10]),
    ):
        request = ["--queries", file, "--json", "a.json", "--overwrite", *more]
        assert command(evaluate, *request)[0] == 0
        answer = json.loads((workplace / "a.json").read_text())
        found = [name for name in answer if name.startswith("recall_at_")]
        assert found == [f"recall_at_{k}" for k in numbers] and answer["queries"] == 450
        assert ("precision_at_3" in answer) == bool(more)


def test_queries_search_a_gallery_of_the_same_checkpoint_only(workplace, command, finished_run):
    for name, split in (("q.npz", "test[:50]"), ("g.parquet", "train[:200]")):
        command(embed, "--checkpoint", finished_run, "--split", split, "--output", name)
    status, _, _ = command(evaluate, "--queries", "q.npz", "--gallery", "g.parquet", "--json", "x")
    assert status == 0 and json.loads((workplace / "x").read_text())["queries"] == 50
    best = (finished_run / "checkpoints/best").resolve().name
    other = finished_run / "checkpoints" / ({"step_00000010", "step_00000020"} - {best}).pop()
    command(embed, "--checkpoint", other, "--output", "other.npz", "--split", "test[:40]")
    status, _, err = command(evaluate, "--queries", "other.npz", "--gallery", "g.parquet")
    assert status == 2 and "different checkpoints" in err
    command(embed, "--checkpoint", finished_run, "--split", "test", "--output", "all.npz")
    status, _, err = command(evaluate, "--queries", "q.npz", "--gallery", "all.npz")
    assert status == 2 and "50 images of q.npz are in all.npz too" in err


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("other_dtype", ["float16", "int8"])
def test_images_that_would_find_themselves_are_known_in_stores_of_smaller_types(
    workplace, command, dtype, other_dtype
):
    labels = [0, 0, 1, 1, 2]
    about = {"width": 64, "checkpoint_sha256": "1"}
    queries = embedding_file(workplace / "q.parquet", labels, dtype=dtype, **about)
    gallery = embedding_file(workplace / "g.parquet", labels, dtype=other_dtype, **about)
    table = read_table(gallery)
    files = ["--queries", queries, "--gallery", gallery]
    noise = np.random.default_rng(1).normal(size=table.embeddings.shape).astype(np.float32)
    # Computed in another batch.
    near = replace(table, embeddings=table.embeddings + 1e-6 * noise)
    write_table(near, gallery, "parquet")
    status, _, err = command(evaluate, *files)
    assert status == 2 and "5 images of" in err and "would find themselves" in err
    # Other photographs under the same names, as similar as the two of a burst.
    write_table(replace(table, embeddings=table.embeddings + 0.03 * noise), gallery, "parquet")
    assert command(evaluate, *files)[0] == 0


def test_vectors_with_and_without_their_mirror_images_are_not_compared(workplace, command):
    queries = embedding_file(workplace / "q.npz", [0, 1], checkpoint_sha256="1", flip=True)
    for flip in ({}, {"flip": True}):
        gallery = embedding_file(
            workplace / "g.npz", [0, 0, 1, 1], seed=1, checkpoint_sha256="1", **flip
        )
        status, _, err = command(evaluate, "--queries", queries, "--gallery", gallery)
        if flip:
            assert status == 0, err
        else:
            assert status == 2
            assert f"{queries} was embedded with --flip and {gallery} without" in err


@pytest.mark.parametrize("suffix", ["npz", "h5", "parquet"])
def test_images_without_a_label_and_lone_classes_are_left_out_and_reported(
    workplace, command, suffix
):
    file = embedding_file(workplace / f"x.{suffix}", [0, 0, 1, 1, 2, -1, -1])
    status, out, err = command(evaluate, "--queries", file, "--json", "a.json")
    assert status == 0, err
    assert "left out, without a label: 2\n" in out
    assert "left out, with no other image of their class to find: 1 query of 1 class (owl)" in out
    assert "4 queries of 2 classes, each searching all others\n" in out
    assert "over 2 pairs of one class and 8 of two\n" in out
    answer = json.loads((workplace / "a.json").read_text())
    counts = [answer[name] for name in ("queries", "queries_without_their_class")]
    assert counts == [4, 1] and answer["rows_without_label"] == 2
    assert answer["classes_left_out"] == [{"label": 2, "name": "owl"}]
    assert sorted(row["name"] for row in answer["classes"]) == ["cat", "dog"]


def test_foreign_files_need_no_metadata_to_be_evaluated(workplace, command):
    queries = embedding_file(workplace / "q.npz", [0, 1, 2])
    gallery = embedding_file(workplace / "g.h5", [0, 0, 1, 1], seed=1)
    status, out, err = command(evaluate, "--queries", queries, "--gallery", gallery)
    assert status == 0, err
    assert "with no image in the gallery of their class to find: 1 query of 1 class (owl)" in out


@pytest.mark.parametrize("suffix", ["npz", "h5", "parquet"])
def test_classes_of_two_files_are_compared_by_name(workplace, command, suffix):
    """Two files that number their classes differently are evaluated like one numbering."""
    everything = ("0001", "0002", "0003", "0007", "0009")
    found = embedding_file(workplace / f"q.{suffix}", [0, 0, 1, 2], names=("0002", "0007", "0009"))
    searched = embedding_file(
        workplace / f"g.{suffix}", [0, 1, 1, 2, 3], names=everything, width=4, seed=1
    )
    for path in (found, searched):
        table = read_table(path)
        numbers = np.array([everything.index(name) for name in table.label_names])
        vectors = np.eye(5, dtype=np.float32)[numbers] * (1 + np.arange(len(numbers))[:, None])
        table = replace(table, embeddings=vectors.astype(np.float32))
        write_table(table, path, suffix)
        write_table(replace(table, labels=numbers), workplace / f"all_{path.name}", suffix)
    answers = []
    for prefix in ("", "all_"):
        files = ["--queries", f"{prefix}q.{suffix}", "--gallery", f"{prefix}g.{suffix}"]
        status, out, err = command(evaluate, *files, "--json", "x", "--overwrite")
        assert status == 0, err
        assert (
            "with no image in the gallery of their class to find: 1 query of 1 class (0009)\n"
            in out
        )
        answers.append(json.loads((workplace / "x").read_text()))
    assert answers[0]["recall_at_1"] == 1
    retrieval = [metric.name for metric in METRICS.computed_from(Source.RANKING)]
    for name in (*retrieval, "queries", "queries_without_their_class", "intervals", "distances"):
        assert answers[0][name] == answers[1][name]
    assert answers[0]["classes_left_out"] == [{"label": 2, "name": "0009"}]
    assert sorted((row["name"], row["label"]) for row in answers[0]["classes"]) == [
        ("0002", 0),
        ("0007", 1),
    ]
