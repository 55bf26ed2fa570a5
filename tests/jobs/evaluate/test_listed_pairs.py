"""Listed pairs and given thresholds of triplet-eval: text, JSON, page and warnings."""

import csv
import json
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table, write_table
from triplet_train.evaluation.pair_list import evaluate_pairs

HEAD = ("id_a", "id_b", "same")


@pytest.fixture(scope="module")
def rows(finished_run):
    """Pairs of the split test, 90 of each kind, with the labels of the run."""
    table = read_table(finished_run / "embeddings/test.npz")
    rng = np.random.default_rng(0)
    kinds = {True: [], False: []}
    while min(map(len, kinds.values())) < 90:
        a, b = rng.choice(len(table.ids), 2, replace=False)
        same = bool(table.labels[a] == table.labels[b])
        kinds[same].append((table.ids[a], table.ids[b], int(same)))
    return [row for pair in zip(kinds[True][:90], kinds[False][:90], strict=True) for row in pair]


def write_pairs(file, rows, head=HEAD):
    with open(file, "w", newline="") as opened:
        csv.writer(opened).writerows([head, *rows])


def read_json(file):
    with open(file) as opened:
        return json.load(opened)


def test_listed_pairs_of_a_checkpoint_and_of_its_file_are_verified_printed_and_shown(
    workplace, command, finished_run, rows
):
    write_pairs("pairs.csv", rows)
    file = finished_run / "embeddings/test.npz"
    request = ["--pairs", "pairs.csv", "--json"]
    status, out, err = command(evaluate, "--checkpoint", finished_run, *request, "a.json")
    assert (status, err) == (0, "")
    assert command(evaluate, "--queries", file, *request, "b.json", "--report", "b.html")[0] == 0
    first, second = read_json("a.json"), read_json("b.json")
    assert first["checkpoint_sha256"] == second["checkpoint_sha256"]
    vectors = dict(zip((table := read_table(file)).ids, table.embeddings, strict=True))
    apart = [np.float64(vectors[a]) - np.float64(vectors[b]) for a, b, _ in rows]
    distances = np.float64(np.linalg.norm(apart, axis=1).astype(np.float32))
    expected = evaluate_pairs(distances, np.array([same == 1 for *_, same in rows]))
    for name, value in expected.metrics.items():
        assert second[name] == pytest.approx(value) and f"{value:.4f}" in out
        assert first[name] == pytest.approx(value, abs=0.02)  # of other batches
    assert second["accuracy_standard_error"] == pytest.approx(expected.standard_error)
    assert second["thresholds"] == pytest.approx(expected.thresholds)
    assert [fold["accuracy"] for fold in second["folds"]] == pytest.approx(
        [fold.accuracy for fold in expected.folds]
    )
    assert (second["positive_pairs"], second["negative_pairs"]) == (90, 90)
    assert sum(second["distances"]["positive"] + second["distances"]["negative"]) == 180
    assert second["repeated_pairs"] == second["pairs_against_labels"] == 0
    assert f"180 pairs of {len({i for row in rows for i in row[:2]})} images: 90 of one" in out
    page = unescape((workplace / "b.html").read_text())
    for words in (
        f"{expected.metrics['accuracy']:.4f}",
        "tpr_at_fpr_1e-2",
        "threshold of the others",
    ):
        assert words in page
    assert {path.name for path in (workplace / "b_plots").iterdir()} == {
        "roc.png",
        "distances.png",
    }


def test_folds_of_the_table_and_the_rates_of_the_request_are_used(
    workplace, command, finished_run, rows
):
    names = ["monday", "tuesday", "friday"]
    write_pairs(
        "pairs.csv", [(*row, names[at % 3]) for at, row in enumerate(rows)], (*HEAD, "fold")
    )
    request = ["--queries", finished_run / "embeddings/test.npz", "--pairs", "pairs.csv"]
    more = ["--set", "evaluation.false_accept_rates=[0.2]", "--json", "a.json"]
    status, out, _ = command(evaluate, *request, *more)
    answer = read_json("a.json")
    assert status == 0 and [fold["name"] for fold in answer["folds"]] == names
    assert set(answer["thresholds"]) == {"fpr_2e-1", "eer", "accuracy"}
    assert "tpr_at_fpr_2e-1" in out and "tpr_at_fpr_1e-2" not in answer
    assert "over 3 folds, each with the threshold of the others" in out


def test_images_need_no_labels_and_those_that_contradict_are_counted(workplace, command):
    file = embedding_file(workplace / "x.npz", [0, 0, 1, 1, 2, 2])
    rows = [("0/0", "0/1", 1), ("0/2", "0/3", 1), ("0/4", "0/5", 1), ("0/0", "0/2", 0)]
    rows += [("0/1", "0/4", 0), ("0/5", "0/2", 1), ("0/0", "0/1", 1)]
    write_pairs("pairs.csv", rows)
    request = ["--pairs", "pairs.csv", "--json", "a.json", "--overwrite"]
    status, out, err = command(evaluate, "--queries", file, *request)
    assert status == 0 and err == (
        "warning: pairs.csv: 1 rows repeat a pair; it counts each time\n"
        "warning: pairs.csv: 1 pairs contradict the labels of their images; column 'same' counts\n"
    )
    assert "rows that repeat a pair, which counts each time: 1\n" in out
    assert "pairs that contradict the labels of their images: 1\n" in out
    with_labels = read_json("a.json")
    assert (with_labels["repeated_pairs"], with_labels["pairs_against_labels"]) == (1, 1)
    table = read_table(file)
    write_table(replace(table, labels=np.full(6, -1), label_names=[""] * 6), file, "npz")
    assert command(evaluate, "--queries", file, *request)[0] == 0
    assert read_json("a.json") == with_labels | {"pairs_against_labels": 0}


def test_the_second_image_of_a_pair_is_one_of_the_gallery(workplace, command):
    for name, seed in (("q.npz", 0), ("g.npz", 1)):
        embedding_file(workplace / name, [0, 0, 1, 1], seed=seed)
    table = read_table(workplace / "g.npz")
    write_table(replace(table, ids=[f"0/{row}" for row in range(4)]), workplace / "g.npz", "npz")
    rows = [("0/0", "0/0", 1), ("0/3", "0/3", 1), ("0/0", "0/3", 0), ("0/3", "0/0", 0)]
    write_pairs("pairs.csv", rows)
    request = ["--queries", "q.npz", "--gallery", "g.npz", "--pairs", "pairs.csv"]
    status, out, err = command(evaluate, *request, "--json", "a.json")
    assert (status, err) == (0, "") and "4 pairs of 4 images: 2 of one class" in out
    answer = read_json("a.json")
    assert answer["accuracy"] == 1 and answer["gallery_file"] == "g.npz"


@pytest.mark.parametrize("listed", [False, True])
def test_thresholds_of_a_file_and_of_its_evaluation_have_the_same_errors(
    workplace, command, finished_run, rows, listed
):
    table, ids = read_table(finished_run / "embeddings/test.npz"), {i for r in rows for i in r[:2]}
    evaluated = np.array([id_ in ids for id_ in table.ids])
    for name, kept in (("test.npz", evaluated), ("val.npz", ~evaluated)):
        part = replace(
            table,
            embeddings=table.embeddings[kept],
            labels=table.labels[kept],
            label_names=np.array(table.label_names)[kept].tolist(),
            ids=np.array(table.ids)[kept].tolist(),
        )
        write_table(part, workplace / name, "npz")
    write_pairs("pairs.csv", rows)
    assert command(evaluate, "--queries", "val.npz", "--json", "val.json")[0] == 0
    request = ["--queries", "test.npz", *(["--pairs", "pairs.csv"] if listed else [])]
    answers = []
    for source in ("val.npz", "val.json"):
        more = ["--thresholds-from", source, "--json", "a.json", "--overwrite"]
        status, out, err = command(evaluate, *request, *more)
        assert (status, err) == (0, "")
        assert f"Thresholds chosen in {source}, with their errors here\n" in out
        answers.append(read_json("a.json"))
    assert answers[0].pop("thresholds_file") == "val.npz"
    assert answers[1].pop("thresholds_file") == "val.json" and answers[0] == answers[1]
    given = {row["name"]: row for row in answers[0]["threshold_errors"]}
    stored = read_json("val.json")["thresholds"]
    assert {name: row["threshold"] for name, row in given.items()} == stored
    assert f"{given['eer']['accuracy']:.4f}" in out.splitlines()[-len(given)]
    vectors = dict(zip(table.ids, zip(table.embeddings, table.labels, strict=True), strict=True))
    if listed:
        pairs = [(vectors[a], vectors[b]) for a, b, _ in rows]
    else:
        kept = [vectors[id_] for id_ in table.ids if id_ in ids]
        pairs = [(a, b) for at, a in enumerate(kept) for b in kept[:at]]
    near = np.array([np.linalg.norm(a - b) <= stored["eer"] for (a, _), (b, _) in pairs])
    same = np.array([one == other for (_, one), (_, other) in pairs])
    assert given["eer"]["false_accept_rate"] == pytest.approx(near[~same].mean(), abs=2e-4)
    assert given["eer"]["false_reject_rate"] == pytest.approx((~near[same]).mean(), abs=2e-4)
    assert given["eer"]["accuracy"] == pytest.approx((near == same).mean(), abs=2e-4)


def test_images_that_also_chose_the_thresholds_are_counted(workplace, command):
    for name in ("a.npz", "b.npz"):
        embedding_file(workplace / name, [0, 0, 1, 1, 2])
    status, _, err = command(evaluate, "--queries", "a.npz", "--thresholds-from", "b.npz")
    assert status == 0 and err == (
        "warning: 5 images of a.npz are in b.npz too; errors on images that chose the thresholds "
        "are too low\n"
    )


def test_thresholds_of_the_very_same_pairs_are_refused(workplace, command):
    embedding_file(workplace / "a.npz", [0, 0, 1, 1])
    rows = [("0/0", "0/1", 1), ("0/2", "0/3", 1), ("0/0", "0/3", 0), ("0/1", "0/2", 0)]
    write_pairs("pairs.csv", rows)
    for more, name in (([], "all.json"), (["--pairs", "pairs.csv"], "listed.json")):
        request = ["--queries", "a.npz", *more]
        assert command(evaluate, *request, "--json", name)[0] == 0
        status, out, err = command(evaluate, *request, "--thresholds-from", name)
        assert (status, out) == (2, "") and f"{name}: it was chosen on the pairs that are" in err
    assert command(evaluate, *request, "--thresholds-from", "all.json")[0] == 0


def test_a_json_without_its_checkpoint_is_used_with_a_warning(workplace, command):
    embedding_file(workplace / "a.npz", [0, 0, 1, 1])
    (workplace / "old.json").write_text('{"thresholds": {"eer": 0.7}}')
    request = ["--queries", "a.npz", "--thresholds-from", "old.json", "--report", "a.html"]
    status, out, err = command(evaluate, *request)
    assert status == 0 and "old.json does not name its checkpoint; it must be that of a.npz" in err
    assert out.splitlines()[-3].split()[:2] == ["eer", "0.7"]
    assert "The thresholds were chosen in old.json" in (workplace / "a.html").read_text()
