"""Only the images that a file of embeddings does not have are embedded."""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from triplet_train.cli.embed import main as embed
from triplet_train.embeddings.files import read_table, write_table
from triplet_train.embeddings.formats import parquet

STORE = ["--images", "photos", "--content", "--output"]
NIGHT = ["--images", "photos", "--skip", "store.parquet", "--overwrite", "--output"]
MERGE = ["--merge", "store.parquet", "tonight.parquet", "--output", "store.parquet"]


def paint(name, level):
    file = f"photos/{name}"
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(file)


def rows_of(file):
    """Id -> class, content and vector."""
    table = read_table(file)
    contents = table.columns["content"].to_pylist()
    rows = zip(table.ids, table.label_names, contents, table.embeddings, strict=True)
    return {id_: (*row, vector.round(5).tolist()) for id_, *row, vector in rows}


def test_a_night_embeds_new_and_changed_images_and_the_merged_file_is_that_of_all(
    workplace, exported, photos, command, monkeypatch
):
    monkeypatch.setattr(parquet, "_ROWS", 7)
    assert exported(*STORE, "store.parquet")[0] == 0
    assert exported(*NIGHT, "tonight.parquet") == (
        0,
        "tonight.parquet: 0 vectors of 16 dimensions\n",
        "20 of 20 images are in store.parquet; nothing to embed\n",
    )
    before = (workplace / "store.parquet").read_bytes()
    assert command(embed, *MERGE)[:2] == (0, "store.parquet: 20 vectors of 16 dimensions\n")
    assert (workplace / "store.parquet").read_bytes() == before

    (changed,) = (workplace / "photos").rglob("03.png")
    (gone,) = (workplace / "photos").rglob("04.png")
    gone.unlink()
    shutil.copy((workplace / "photos/18.png"), changed)
    paint("new.png", 0)
    paint("zzz.png", 200)
    changed.parent.touch()
    assert exported(*NIGHT, "tonight.parquet") == (
        0,
        "tonight.parquet: 3 vectors of 16 dimensions\n",
        "18 of 21 images are in store.parquet; 3 to embed, 1 with another content or class\n"
        f"1 rows of store.parquet are of images that are not in {workplace / 'photos'}\n",
    )
    status, out, err = command(embed, *MERGE)
    assert (status, out) == (0, "store.parquet: 22 vectors of 16 dimensions\n")
    assert err == "1 rows of store.parquet are replaced by later ones of the same id\n"
    assert exported(*STORE, "all.parquet")[0] == 0
    merged, expected = rows_of(workplace / "store.parquet"), rows_of(workplace / "all.parquet")
    assert merged.keys() - expected.keys() == {str(gone.relative_to(workplace / "photos"))}
    assert {id_: merged[id_] for id_ in expected} == expected
    digest = hashlib.blake2b(changed.read_bytes(), digest_size=16).hexdigest()
    assert merged[str(changed.relative_to(workplace / "photos"))][1] == digest
    assert "nothing to embed" in exported(*NIGHT, "tonight.parquet")[2]


def test_rows_without_a_digest_are_known_by_id_and_class(workplace, exported, photos, command):
    assert exported("--images", "photos", "--output", "store.parquet")[0] == 0
    shutil.copy("photos/18.png", "photos/19.png")
    status, _, err = exported(*NIGHT, "tonight.parquet")
    assert status == 0 and err.splitlines() == [
        "20 of 20 images are in store.parquet; nothing to embed",
        "20 rows of store.parquet have no digest of the content, which --content writes; these "
        "images are known by id and class alone",
    ]
    paint("new.png", 0)
    assert exported(*NIGHT, "tonight.parquet")[0] == 0 and command(embed, *MERGE)[0] == 0
    paint("new.png", 100)
    err = exported(*NIGHT, "tonight.parquet")[2]
    assert "20 of 21 images are in store.parquet; 1 to embed, 1 with another content" in err
    assert "20 rows of store.parquet have no digest" in err


def test_an_image_in_another_class_is_embedded_again_and_boxes_of_one_file_share_its_content(
    workplace, exported, photos, command
):
    table = workplace / "photos.csv"
    lines = ["path,label,x0,y0,x1,y1"]
    lines += [f"photos/18.png,{name},0,0,{side},8" for name, side in (("a", 4), ("b", 8))]
    request = ["--images", "photos.csv", *NIGHT[2:], "tonight.parquet"]
    table.write_text("\n".join(lines))
    assert exported("--images", "photos.csv", *STORE[2:], "store.parquet")[0] == 0
    (content,) = {content for _, content, _ in rows_of(workplace / "store.parquet").values()}
    assert "2 of 2 images are in store.parquet; nothing to embed" in exported(*request)[2]
    table.write_text("\n".join([*lines[:2], lines[2].replace(",b,", ",c,")]))
    assert "1 of 2 images are in" in exported(*request)[2]
    assert command(embed, *MERGE)[0] == 0
    found = rows_of(workplace / "store.parquet")
    assert [row[:2] for row in found.values()] == [
        ("a", content),
        ("c", content),
    ]


def test_an_image_that_cannot_be_read_is_reported_every_night(workplace, exported, photos):
    (workplace / "photos/bad.png").write_bytes(b"no image")
    assert exported(*STORE, "store.parquet")[0] == 1
    paint("new.png", 0)
    status, _, err = exported(*NIGHT, "tonight.parquet")
    assert status == 1 and "20 of 22 images are in store.parquet; 2 to embed" in err
    assert "1 of 2 images cannot be read and are not among the 1 in tonight.parquet" in err


def test_a_store_of_another_tower_is_refused(workplace, exported, photos):
    assert exported(*STORE, "store.parquet", "--flip")[0] == 0
    status, _, err = exported(*NIGHT, "tonight.parquet")
    assert status == 2 and "store.parquet was embedded with --flip and" in err
    table = read_table(workplace / "store.parquet")
    table.metadata["checkpoint_sha256"] = "other"
    write_table(table, workplace / "store.parquet", "parquet")
    status, _, err = exported(*NIGHT, "tonight.parquet")
    assert status == 2 and "different checkpoints" in err and "(SHA-256 other...)" in err
    assert not (workplace / "tonight.parquet").exists()


@pytest.mark.parametrize("name", ["store.npz", pytest.param("store.h5", marks=pytest.mark.slow)])
def test_other_formats_are_stores_too(workplace, exported, photos, name):
    assert exported(*STORE, name)[0] == 0
    request = ["--images", "photos", "--skip", name, "--output", "tonight.npz"]
    assert "20 of 20 images are in" in exported(*request)[2]
