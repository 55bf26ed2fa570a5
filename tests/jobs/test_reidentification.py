"""People in folders as Market-1501 has them, and as boxes in a table, through every command."""

import pytest
import yaml

from tests.helpers.commands import configuration
from tests.helpers.reidentification import make_market, make_table
from tests.helpers.run_contents import log_without_clock
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table

pytestmark = pytest.mark.usefixtures("without_pages")


def test_folders_and_boxes_of_the_same_people_give_the_same_run(workplace, command):
    logs, files = [], []
    for name, make in {"market": make_market, "people": make_table}.items():
        config = configuration(**make(workplace / name)) | {"batch": {"classes": 2, "per_class": 3}}
        (workplace / f"{name}.yaml").write_text(yaml.safe_dump(config))
        status, _, err = command(train, "--config", f"{name}.yaml", "--run-dir", name + ".run")
        assert status == 0 and "(4 queries of 2 classes)" in err, err
        logs.append(log_without_clock(workplace / f"{name}.run"))
        split = workplace / f"{name}.run/embeddings/query+bounding_box_test.parquet"
        files.append(read_table(split))
    assert logs[0] == logs[1]
    one, other = files
    assert (one.embeddings == other.embeddings).all() and one.label_names == other.label_names
    for name in ("group", "role"):
        assert one.columns[name].to_pylist() == other.columns[name].to_pylist()

    assert command(evaluate, "--queries", split, "--json", "people.json")[0] == 0
    status, out, err = command(train, "--config", "people.yaml", "--dry-run", "--quiet")
    assert (status, err) == (0, "")
    assert "4 queries, 10 in the gallery, 2 of these distractors, 2 groups" in out
    assert "columns x0, y0, x1, y1, in pixels" in out

    # A table with a missing file and a box outside its photograph: each is listed with its line.
    rows = [*(workplace / "people/people.csv").read_text().splitlines()[:5]]
    rows += ["gone.png,0,0,8,8,0003,1,query,query", "0000.png,0,0,8,99,0003,1,query,query"]
    (workplace / "people/more.csv").write_text("\n".join(rows) + "\n")
    images = ["--images", "people/more.csv", "--output", "more.npz", "--quiet"]
    status, _, err = command(embed, "--checkpoint", "people.run", *images)
    assert status == 1
    assert "people/more.csv, line 6, photo, x0, y0, x1, y1: people/gone.png: " in err
    assert "line 7, photo, x0, y0, x1, y1: people/0000.png: box 0,0,8,99 lies outside" in err
    table = read_table(workplace / "more.npz")
    assert table.ids[0] == "0000.png#11,3,19,15"
    assert table.columns["role"].to_pylist() == ["gallery"] * 3
    assert table.columns["part"].to_pylist() == ["bounding_box_test"] * 3
