"""Roles and groups from a folder of photographs to the metrics, by every command."""

import json

import pytest

from tests.helpers.commands import METRIC_NAMES, changed, write_configuration
from tests.helpers.reidentification import make_market
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table

pytestmark = pytest.mark.usefixtures("without_pages")

# 2 people before 2 cameras: a query each, and 2 images each in the gallery, which also has 2
# distractors; the image of nobody is junk
COUNTS = {
    "queries": 4,
    "query_classes": 2,
    "gallery_images": 10,
    "distractors": 2,
    "ignored_pairs": 8,
    "rows_without_label": 0,
    "rows_without_part": 0,
    "queries_with_own_group_only": 0,
}


def test_roles_groups_and_distractors_hold_from_training_to_files(workplace, command):
    write_configuration("market", **make_market(workplace / "market"))
    options = changed("batch.classes=3", "embeddings.splits=[query+bounding_box_test]")
    run = ("--config", "market.yaml", "--run-dir", "run", "--quiet", *options)
    status, out, err = command(train, *run)
    assert status == 0, err
    assert "(4 queries of 2 classes)" in out

    def evaluated(*arguments):
        status, out, err = command(evaluate, *arguments, "--json", "x.json", "--overwrite")
        assert status == 0, err
        assert "4 queries of 2 classes, each searching the 10 images of the gallery\n" in out
        assert "images of the gallery without a label, negatives of every query: 2\n" in out
        assert "pairs ignored, being of one class and group: 8\n" in out
        return json.loads((workplace / "x.json").read_text())

    both = "query+bounding_box_test"
    checkpoint = evaluated("--checkpoint", "run", "--split", both)
    for name, split in (("all", both), ("q", "query"), ("g", "bounding_box_test")):
        files = ("--split", split, "--output", f"{name}.parquet")
        assert command(embed, "--checkpoint", "run", *files, "--quiet")[0] == 0
    assert set(read_table(workplace / "g.parquet").columns) == {"group", "role"}
    files = evaluated("--queries", "q.parquet", "--gallery", "g.parquet")
    more = evaluated("--queries", "all.parquet", "--gallery", "g.parquet")
    assert more["rows_without_part"] == 10  # the gallery among the queries
    assert {name: more[name] for name in METRIC_NAMES} == {
        name: files[name] for name in METRIC_NAMES
    }
    logged = json.loads((workplace / "run/metrics.jsonl").read_text().splitlines()[-1])
    final = json.loads((workplace / "run/metrics.json").read_text())
    for found in (checkpoint, files, logged, final):
        assert {name: found[name] for name in COUNTS} == COUNTS
    for name in METRIC_NAMES:
        assert checkpoint[name] == pytest.approx(files[name], abs=1e-6), name
    in_both = METRIC_NAMES & logged.keys()
    assert {"recall_at_1", "minp"} <= in_both
    best = [json.loads(line) for line in (workplace / "run/metrics.jsonl").open()]
    best = next(line for line in best if "split" in line and line["step"] == final["step"])
    assert {name: best[name] for name in in_both} == pytest.approx(
        {name: final[name] for name in in_both}, abs=1e-6
    )
