"""Whole searches with the small run: tables, JSON, pages, and what is refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.search import main as search
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source
from triplet_train.embeddings import hnsw
from triplet_train.embeddings.files import read_table
from triplet_train.jobs.search import gallery

SEARCH = """
import sys
from triplet_train.cli.search import main

try:
    main()
finally:
    needless = "matplotlib", "scipy", "sklearn", "tensorflow_datasets", "jinja2"
    print("imported:", *sys.modules.keys() & set(needless))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, data_dir):
    """A folder with `shop`, 30 digits as files in folders by class, and two photographs."""
    place = tmp_path_factory.mktemp("search")
    digits = open_source(DataConfig(dataset="digits", data_dir=str(data_dir))).table("test[:32]")
    for number, (image, label) in enumerate(zip(pixels(digits), digits.labels, strict=True)):
        folder = place / "shop" / f"digit {label}" if number < 30 else place
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:02d}.png")
    return place


@pytest.fixture
def searched(place, command, finished_run, monkeypatch):
    """Search `shop.parquet` with the small run: `searched(*options)` -> (status, out, err)."""
    monkeypatch.chdir(place)
    if not (place / "shop.parquet").exists():
        options = ("--checkpoint", finished_run, "--images", "shop", "--output", "shop.parquet")
        assert command(embed, *options)[0] == 0

    def run(*options, gallery="shop.parquet", checkpoint=finished_run):
        return command(search, "--checkpoint", checkpoint, "--gallery", gallery, *options)

    return run


def neighbours(file="a.json"):
    """Ids and distances of the images found, by photograph."""
    with open(file) as text:
        content = json.load(text)
    return {
        one["image"]: [(near["id"], near["distance"]) for near in one["neighbours"]]
        for one in content["images"]
    }


def test_the_nearest_images_are_named_with_class_distance_and_threshold(
    searched, place, command, finished_run
):
    first = sorted(place.glob("shop/*/*.png"))[0].relative_to(place)
    asked = ("30.png", first, "31.png")
    status, out, err = searched(*asked, "--top", "4", "--json", "a.json", "--overwrite")
    assert (status, err) == (0, "")
    options = ("--checkpoint", finished_run, "--images", ".", "--output", "all.npz", "--overwrite")
    command(embed, *options)
    both, shop = read_table(place / "all.npz"), read_table(place / "shop.parquet")
    with open("a.json") as file:
        content = json.load(file)
    threshold = json.loads((finished_run / "metrics.json").read_text())["thresholds"]["eer"]
    assert content["threshold"]["distance"] == threshold and content["gallery_images"] == 30
    for path, one in zip(asked, content["images"], strict=True):
        query = both.embeddings[both.ids.index(str(path))].astype(np.float64)
        distances = np.linalg.norm(shop.embeddings - query, axis=1)
        order = np.argsort(distances, kind="stable")[:4]
        assert one["image"] == str(path)
        for rank, (near, row) in enumerate(zip(one["neighbours"], order, strict=True), 1):
            assert (near["rank"], near["id"]) == (rank, shop.ids[row])
            assert near["label_name"] == shop.label_names[row]
            assert abs(near["distance"] - distances[row]) < 1e-5
            assert near["same"] == (near["distance"] <= threshold)
    own = content["images"][1]["neighbours"][0]
    assert f"shop/{own['id']}" == str(first) and own["distance"] < 1e-5
    lines = out.splitlines()
    assert lines[0] == "30.png" and lines[1].split() == ["rank", "id", "class", "distance", "same"]
    assert lines[-2:] == [
        "search: exact, all 30 images",
        f"same: at a distance of at most {threshold:.4f}, the threshold eer of test in "
        f"{finished_run}/metrics.json",
    ]


@pytest.mark.slow
def test_a_search_imports_no_library_that_would_delay_its_answer(searched, finished_run):
    options = ("--checkpoint", finished_run, "--gallery", "shop.parquet", "30.png")
    request = [sys.executable, "-c", SEARCH, *map(str, options)]
    done = subprocess.run(request, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported:"]


def test_photographs_that_cannot_be_read_are_named_and_the_others_searched(searched, place):
    (place / "broken.jpg").write_bytes(b"no image")
    status, out, err = searched("broken.jpg", "30.png", "--json", "b.json", "--overwrite")
    assert status == 1 and "1 of 2 images cannot be read:\n  broken.jpg: not an image" in err
    assert out.startswith("30.png\n") and list(neighbours("b.json")) == ["30.png"]
    status, out, err = searched("broken.jpg")
    assert (status, out) == (1, "") and "none of the images can be read:\n  broken.jpg" in err
    (place / "broken.jpg").unlink()


@pytest.mark.parametrize(
    "option, words",
    [
        ("0.25", "same: at a distance of at most 0.2500, --threshold"),
        ("fpr_1e-3", ", the threshold fpr_1e-3 of test in"),
    ],
)
def test_the_user_may_choose_the_threshold(searched, option, words):
    assert words in searched("30.png", "--threshold", option)[1]


def test_a_run_without_thresholds_says_so(searched, place, run_copy):
    (run_copy / "metrics.json").unlink()
    _, out, _ = searched("30.png", checkpoint=run_copy)
    assert f"same: unknown, since {run_copy} has no metrics.json yet; give --threshold" in out
    assert out.splitlines()[2].endswith("?")


def test_a_gallery_of_mirrored_images_is_searched_alike(searched, place, command, finished_run):
    for options in (("shop", "flip.parquet"), (".", "flipped.npz")):
        images, output = options
        command(embed, "--checkpoint", finished_run, "--images", images, "--output", output)
        more = ("--images", images, "--output", output, "--flip", "--overwrite")
        assert command(embed, "--checkpoint", finished_run, *more)[0] == 0
    _, out, _ = searched("30.png", "--json", "f.json", "--overwrite", gallery="flip.parquet")
    assert "which was measured without --flip" in out
    both, shop = read_table(place / "flipped.npz"), read_table(place / "flip.parquet")
    query = both.embeddings[both.ids.index("30.png")]
    nearest = np.linalg.norm(shop.embeddings - query, axis=1).min()
    assert abs(neighbours("f.json")["30.png"][0][1] - nearest) < 1e-5


def test_many_images_are_searched_by_an_index_that_is_kept(searched, place, monkeypatch):
    pytest.importorskip("faiss", reason="pip install 'triplet-train[faiss]'")
    searched("30.png", "31.png", "--json", "a.json", "--overwrite")
    exact = neighbours()
    monkeypatch.setattr(gallery, "MOST_EXACT", 29)
    folder = place / "shop.parquet.hnsw"
    for said in (f"building {folder.name}", ""):
        asked = ("30.png", "31.png", "--json", "a.json", "--overwrite")
        status, out, err = searched(*asked)
        assert status == 0 and err.startswith(said) and bool(err) == bool(said)
        assert "search: HNSW index of 30 images, recall@10 1.0000 against the exact search" in out
        for path, found in neighbours().items():
            assert [id_ for id_, _ in found] == [id_ for id_, _ in exact[path]]
    assert "exact, all 30" in searched("30.png", "--exact")[1]
    monkeypatch.setattr(gallery, "is_installed", lambda: False)
    _, out, err = searched("30.png")
    assert "exact, all 30" in out and "pip install 'triplet-train[faiss]'" in err
    shutil.rmtree(folder)
    assert hnsw.is_installed()


def test_the_page_shows_the_pictures_that_can_be_found(searched, place, finished_run, command):
    options = ("30.png", "--top", "3", "--report")
    assert searched(*options, "a.html")[0] == 0
    page = (place / "a.html").read_text()
    assert page.count('src="data:image/') == 4 and "no picture<" not in page
    assert ("✓ the same" in page or "✗ another" in page) and "digit " in page
    # the images of a data set
    own = finished_run / "embeddings/test.parquet"
    assert searched(*options, "b.html", gallery=own)[0] == 0
    page = (place / "b.html").read_text()
    assert page.count('src="data:image/png') == 3 and page.count('src="data:image/jpeg') == 1
    (place / "shop").rename(place / "moved")
    assert searched(*options, "c.html")[0] == 0
    (place / "moved").rename(place / "shop")
    page = (place / "c.html").read_text()
    assert "3 of 3 pictures of the gallery are not in the folder" in page
    assert page.count(">no picture<") == 3


@pytest.mark.slow
def test_an_export_finds_what_the_run_finds(searched, place, command, finished_run):
    from triplet_train.cli.export import main as export

    for package in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(package, reason="pip install 'triplet-train[onnx]'")
    command(export, "--checkpoint", finished_run, "--output", "a.onnx")
    searched("30.png", "--json", "a.json", "--overwrite")
    own = neighbours()["30.png"]
    status, out, _ = searched("30.png", "--json", "a.json", "--overwrite", checkpoint="a.onnx")
    assert status == 0 and "unknown, since an export has no thresholds" in out
    assert [id_ for id_, _ in neighbours()["30.png"]] == [id_ for id_, _ in own]
    table = read_table(place / "shop.parquet")
    from dataclasses import replace

    from triplet_train.embeddings.files import write_table

    foreign = replace(table, metadata=table.metadata | {"checkpoint_sha256": "0" * 64})
    write_table(foreign, place / "foreign.parquet", "parquet")
    status, _, err = searched("30.png", checkpoint="a.onnx", gallery="foreign.parquet")
    assert status == 2 and "foreign.parquet comes from another checkpoint" in err
