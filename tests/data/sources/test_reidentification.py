"""Market-1501 as it is downloaded, and the same people as boxes in a table."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.reidentification import make_market, make_table
from tests.helpers.tables import pixels
from triplet_train.config import Config
from triplet_train.config.loading import make_data_config
from triplet_train.data.batches import PKBatches
from triplet_train.data.classes import evaluated_images, training_images
from triplet_train.data.pipeline import training_batches
from triplet_train.data.source import open_source
from triplet_train.errors import RequestError
from triplet_train.jobs.train.images import run_images

MAKE = {"market": make_market, "table": make_table}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    place = tmp_path_factory.mktemp("people")
    return {name: make(place / name) for name, make in MAKE.items()}


def opened(options, **more):
    return open_source(make_data_config(**options | more))


def columns(table):
    return {name: values.to_pylist() for name, values in table.columns.items()}


def test_folders_of_market_and_a_table_with_boxes_give_identical_batches(both):
    sources = [opened(options) for options in both.values()]
    assert sources[0].classes == sources[1].classes == ["0002", "0003", "0004", "0007", "0011"]
    tables = [training_images(s.table("bounding_box_train"), s.data, 0) for s in sources]
    batches = [
        iter(
            training_batches(
                table, PKBatches(table.labels, classes=2, per_class=3, seed=1), 0, range(1), 1
            )
        )
        for table in tables
    ]
    for _ in range(5):
        (images, labels), (others, other_labels) = (next(each) for each in batches)
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)
    one, other = (evaluated_images(s.table(s.data.eval_split), s.data, 0) for s in sources)
    assert one.class_names == other.class_names
    by_pixels = [
        sorted(zip(pixels(t).tolist(), t.labels.tolist(), *columns(t).values(), strict=True))
        for t in (one, other)
    ]
    assert by_pixels[0] == by_pixels[1] and list(columns(one)) == list(columns(other))


@pytest.mark.parametrize("kind", MAKE)
def test_queries_gallery_distractors_and_junk_have_their_parts(both, kind):
    found = opened(both[kind])
    table = evaluated_images(found.table("query+bounding_box_test"), found.data, 0)
    rows = zip(*columns(table).values(), table.labels.tolist(), strict=True)
    names = [(role, camera, table.class_names[label]) for camera, role, label in rows]
    assert sorted(names) == sorted(
        [("query", camera, name) for camera in "12" for name in ("0003", "0004")]
        + [("gallery", camera, name) for camera in "12" for name in ("0003", "0004")] * 2
        + [("gallery", camera, "") for camera in "12"]
    )
    assert sum("junk_labels" in note and "-1 (1)" in note for note in table.notes) == 1
    assert sum("distractor_labels" in note and "0000 (2)" in note for note in table.notes) == 1
    assert sum("Thumbs" in note or ".db (1)" in note for note in table.notes) == (
        2 if kind == "market" else 0
    )


@pytest.mark.parametrize("kind", MAKE)
def test_distractors_are_evaluated_with_any_classes_and_never_trained_on(both, kind):
    found = opened(both[kind], train_split="bounding_box_test", eval_classes=["0003"])
    table = found.table("bounding_box_test")
    assert (table.labels < 0).sum() == 2
    assert (training_images(table, found.data, 0).labels >= 0).all()
    evaluated = evaluated_images(table, found.data, 0)
    assert sorted(evaluated.labels.tolist()) == [-1, -1, *[found.classes.index("0003")] * 4]
    drawn = opened(both[kind], train_split="bounding_box_test", train_classes="50%")
    assert (evaluated_images(table, drawn.data, 0).labels < 0).sum() == 2
    found = opened(both[kind], train_split="bounding_box_test", distractor_labels=["0003"])
    half = found.table("bounding_box_test[:50%]")
    assert (half.labels < 0).sum() == 2  # a share of the distractors, too


def test_a_union_is_both_splits_and_refused_if_these_overlap(both):
    found = opened(both["market"])
    union = found.table("query+bounding_box_test")
    assert union.ids == found.table("bounding_box_test+query").ids == sorted(union.ids)
    assert len(union) == found.count("query") + found.count("bounding_box_test")
    with pytest.raises(RequestError, match="contains some images more than once"):
        found.table("query+query[:50%]")
    with pytest.raises(RequestError, match="no folder 'queries'"):
        found.table("queries+query")


@pytest.mark.parametrize("kind", MAKE)
def test_evaluating_the_queries_alone_is_refused_with_the_way_out(both, kind):
    options = both[kind] | {"eval_split": "query"}
    with pytest.raises(RequestError, match=r"no query has .*data\.eval_split: query\+gallery"):
        run_images(Config(data=make_data_config(**options)), opened(options))


@pytest.mark.parametrize("kind", MAKE)
def test_a_role_of_a_split_that_is_not_there_is_refused(both, kind):
    roles = {"querry": "query"}
    with pytest.raises(
        RequestError, match=r"data\.roles: no split 'querry' .*did you mean 'query'"
    ):
        opened(both[kind], roles=roles)
    if kind == "table":
        with pytest.raises(RequestError, match=r"data\.roles: .*people\.csv has roles in a column"):
            opened(both[kind], roles={"query": "query"})


@pytest.mark.parametrize("kind", MAKE)
def test_special_labels_that_no_image_has_are_named(both, kind):
    """YAML reads 0000 as a number, which is the label 0."""
    table = opened(both[kind], distractor_labels=[0]).table("query")
    assert "no image has the label '0' of data.distractor_labels" in table.notes


@pytest.mark.parametrize("kind", MAKE)
def test_the_digest_of_a_split_covers_boxes_groups_and_roles(both, kind, tmp_path):
    plain = opened(both[kind]).table("query").fingerprint()
    changed = [{"distractor_labels": ["0003"]}]
    if kind == "market":
        changed += [{"roles": {}}, {"label_pattern": r"(?P<label>-?\d+)_c(\d+)"}]
    else:
        changed.append({"columns": both[kind]["columns"] | {"group": "x0"}})
        file = Path(both[kind]["path"])
        *rows, query = file.read_text().split()
        photo, left, *others, role = query.split(",")
        for name, row in {
            "box": (photo, int(left) - 1, *others, role),
            "role": (photo, left, *others, "both"),
        }.items():
            (tmp_path / f"{name}.csv").write_text("\n".join([*rows, ",".join(map(str, row))]))
            changed.append({"path": str(tmp_path / f"{name}.csv"), "root": str(file.parent)})
    for options in changed:
        assert opened(both[kind], **options).table("query").fingerprint() != plain
