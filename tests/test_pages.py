"""Pages of the documentation are executed from top to bottom."""

import json
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import urllib.request
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image

from tests.helpers.commands import MODULES, changed
from tests.helpers.made_sets import make_folder
from tests.helpers.networks import TooLarge, application
from tests.helpers.tables import table
from triplet_train import api
from triplet_train.cli.train import main as train
from triplet_train.config import DataConfig, load_config
from triplet_train.data.caching import which_fit
from triplet_train.embeddings.compute import make_embed
from triplet_train.embeddings.files import read_table
from triplet_train.errors import CommandError
from triplet_train.training.collapse import Collapse
from triplet_train.training.devices import Devices, fewer_at_a_time

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ROLES = ("train", "query", "gallery", "gallery")
# A block of Python, a named block of YAML or Python, or one indented line.
# tests/jobs/embed/test_ray.py is about Ray.
STEPS = re.compile(
    r"^```python\n(.*?)^```$|[Aa]\s+file\s+`(\S+)`:\n\n```\w+\n(.*?)^```$|^    (\S[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def read(page):
    return (DOCS / page).read_text()


def section(page, title):
    """The part of a page from a heading to the next one of its level."""
    return re.search(rf"^## {title}\n.*?(?=^## )", page, re.M | re.S)[0]


def follow(page, command, *more, **names):
    """Run the steps of a page, with `more` after each triplet-train and `names` for its Python."""
    done = []
    folders = set()
    data_dir = more[more.index("--data-dir") + 1] if "--data-dir" in more else None
    for step in STEPS.finditer(page.replace(" \\\n      ", " ")):
        python, file, content, line = step.groups()
        if python:
            exec(compile(python, "page.md", "exec"), names)
        elif content:
            Path(file).write_text(content)
            if "path: " in content:
                folders.add(file)
        elif line.startswith("mkdir "):
            subprocess.run(shlex.split(line), check=True)
        elif line.startswith("triplet-") and "--engine ray" not in line:
            program, *arguments = shlex.split(line)
            extra = more if program == "triplet-train" else ()
            if folders.intersection(arguments):  # a folder of images is not a set of TFDS
                extra = [part for part in extra if part not in ("--data-dir", data_dir)]
            status, _, err = command(MODULES[program].main, *arguments, *extra)
            assert status == 0, (line, err)
        done.append(line or file or "python")
    return done


@pytest.mark.slow
def test_the_readme_is_true_and_so_are_the_commands_of_the_pages_on_the_same_run(
    workplace, command, mnist_dir, without_pages
):
    page = (ROOT / "README.md").read_text()
    assert "tf_flowers" in page
    page = page.replace("tf_flowers", "digits")  # which needs no download
    images = np.zeros((3, 28, 28, 1), np.uint8)
    tower = keras.Sequential([keras.Input([5]), keras.layers.Dense(2)])
    few = [*changed("train.steps=4", "train.eval_every=4"), "--data-dir", mnist_dir]
    done = follow(page, command, *few, images=images, tower=tower)
    assert len([step for step in done if step.startswith("triplet-")]) >= 12
    Path("sheet.png").unlink()
    resuming = follow(read("stopping-and-resuming.md"), command, *few)
    assert any("--resume" in step for step in resuming)
    for name in ("training.md", "augmentation.md", "scaling.md", "towers.md"):
        assert any("--run-dir" in step for step in follow(read(name), command, *few))


@pytest.mark.slow
def test_the_pages_on_embeddings_evaluation_and_serving_are_true(workplace, command, finished_run):
    shutil.copytree(finished_run, "runs/demo", symlinks=True)
    width = read_table(workplace / "runs/demo/embeddings/test.parquet").embeddings.shape[1]
    os.mkdir("photos")
    Image.new("RGB", (20, 30), "white").save("photos/seven.png")
    people = [f"Person_{number}" for number in range(9)]
    make_folder(workplace / "lfw", [f"{p}/{p}_{n:04d}.jpg" for p in people for n in (1, 2)])
    lines = [f"{person}\t1\t2" for person in people]
    lines += [f"{person}\t1\tPerson_0\t2" for person in people[1:]]
    Path("pairs.txt").write_text("\n".join(["1\t9", *lines]))
    shop = [f"img/{item}/{n}.jpg {item} {role}" for item in "ab" for n, role in enumerate(ROLES)]
    make_folder(workplace, [line.split()[0] for line in shop])
    Path("list_eval_partition.txt").write_text("\n".join(["8", "image_name item_id status", *shop]))
    # The demo's own vectors have 32 dimensions.
    names = ("embeddings.md", "nightly.md", "evaluation.md", "comparing.md", "serving.md")
    pages = (read(name) for name in names)
    page = "".join(pages).replace("[32]", f"[{width}]")
    page = page.replace(section(page, "A search box over your own folder"), "")
    # Market-1501 is not here; tests/jobs/test_reidentification.py has its protocol.
    for text, other in (
        ("runs/market --split query+bounding_box_test", "runs/demo"),
        ("query.parquet --gallery gallery.parquet", "test.parquet --gallery train.parquet"),
    ):
        assert text in page
        page = page.replace(text, other)
    assert len(follow(page, command)) > 20 and (workplace / "map/sprite.png").exists()


@pytest.mark.slow
def test_the_page_on_python_is_true(
    workplace, command, data_dir, monkeypatch, without_pages, capfd
):
    paths = [f"{s}/{name}/{n}.jpg" for s in ("train", "test") for name in "abcd" for n in range(4)]
    make_folder(workplace / "photos", paths)
    train = api.train

    def few_steps(config, *arguments, **options):
        options |= {"train.steps": 4, "train.eval_every": 2}
        if config == "digits_semihard":
            options["data_dir"] = data_dir
        return train(config, *arguments, **options)

    monkeypatch.setattr(api, "train", few_steps)
    images = np.zeros((3, 8, 8, 1), np.uint8)
    page = read("python.md")
    assert follow(page, command, images=images).count("python") == page.count("```python") == 7
    assert "loss.margni: unknown key (received 0.3); did you mean" in capfd.readouterr().out


@pytest.mark.slow
def test_the_search_box_shows_the_pictures_that_are_nearest(workplace, command, without_pages):
    paths = [
        f"{name}/{number}.jpg" for name in ("ring", "a & b", "disc", "c") for number in range(10)
    ]
    make_folder(workplace / "album", paths, size=(64, 64))
    page = section(read("serving.md"), "A search box over your own folder")
    done = follow(page, command, *changed("train.steps=4", "train.eval_every=4"))
    assert len([step for step in done if step.startswith("triplet-")]) == 3

    handler = partial(runpy.run_path("search_box.py")["SearchBox"], directory="album")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()

    def get(path, data=None):
        address = f"http://127.0.0.1:{server.server_port}{path}"
        with urllib.request.urlopen(address, data) as answer:
            return answer.read()

    assert b'<input type="file"' in get("/")
    picture = (workplace / "album/a & b/3.jpg").read_bytes()
    found = re.findall(r'src="([^"]*)"><figcaption>([^<]*)<', get("/", picture).decode())
    assert len(found) == 12 and found[0] == ("a%20%26%20b/3.jpg", "0.00 a &amp; b/3.jpg")
    assert get(f"/{found[0][0]}") == picture
    assert b"not a JPEG" in get("/", b"no picture")
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_the_page_on_data_is_true(workplace, command, data_dir, monkeypatch, without_pages):
    classes = ("ring", "cross", "square", "disc")
    paths = [f"{name}/{number}.jpg" for name in classes for number in range(6)]
    make_folder(workplace / "photos", [f"{s}/{path}" for s in ("train", "test") for path in paths])
    make_folder(workplace / "shapes", paths, size=(30, 50))
    rows = ["path,label,split"]
    rows += [
        f"photos/{s}/{path},{path.split('/')[0]},{s}" for s in ("train", "test") for path in paths
    ]
    for name in ("items", "new"):
        Path(f"{name}.csv").write_text("\n".join(rows))
    page = read("data.md")
    small = [*changed("train.steps=4", "train.eval_every=4"), "--data-dir", data_dir]
    done = follow(page, command, *small)
    assert len([step for step in done if step.startswith("triplet-")]) >= 10
    assert {path.name for path in Path("runs").iterdir()} == {
        "photos",
        "shapes",
        "items",
        "unseen",
        "unseen_share",
        "from_disk",
    }


@pytest.mark.slow
def test_the_page_on_fine_tuning_is_true(workplace, command, without_pages):
    application("MobileNetV2").save_weights("mobilenetv2.weights.h5")
    for folder, classes in (("photos", "abcd"), ("more_photos", "abcdef")):
        paths = [
            f"{s}/{name}/{n}.jpg" for s in ("train", "test") for name in classes for n in range(4)
        ]
        make_folder(workplace / folder, paths, size=(32, 32))
    shutil.copy("more_photos/test/f/0.jpg", "query.jpg")
    page = read("finetuning.md").replace("[96, 96]", "[32, 32]")
    small = changed("train.steps=4", "train.eval_every=2", "model.freeze_backbone=2")
    done = follow(page, command, *small)
    assert len([step for step in done if step.startswith("triplet-")]) == 7
    environment = json.loads(Path("runs/more_photos/environment.json").read_text())
    assert list(environment["pretrained_sha256"]) == ["model.init"]


def test_the_page_on_the_configuration_is_true(workplace, command, data_dir):
    page = read("configuration.md")
    assert len(follow(page, command, "--data-dir", data_dir)) > 2
    wrong = changed("loss.margni=0.3", "train.steps=0")
    status, _, err = command(train, "--config", "small.yaml", *wrong)
    assert status == 2 and says(page, err.removeprefix("triplet-train: "))


def says(page, message):
    """Assert that the page quotes the message, in lines of its own, with ... for what varies."""
    quotes = re.findall(r"^```text\n(.*?)^```$|((?:^    [^\n]*\n)+)", page, re.M | re.S)
    for quote in ("".join(either) for either in quotes):
        pattern = re.escape(" ".join(quote.split())).replace(r"\.\.\.", ".*")
        if re.fullmatch(pattern, " ".join(message.split())):
            return True
    raise AssertionError(f"not on the page: {message}")


def refusal(function, *arguments):
    with pytest.raises(CommandError) as error:
        function(*arguments)
    return str(error.value)


def without_memory():
    alone = Devices(tf.distribute.get_strategy(), 1, 1, True, "NVIDIA H100")
    config = load_config("digits_semihard")
    with alone.failures_explained(
        lambda: (
            f"{fewer_at_a_time(config, 1)}, or give --resume on a machine with more memory; "
            "the newest good checkpoint is runs/mine/checkpoints/step_00000250"
        )
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.mark.slow
def test_the_page_on_trouble_is_true(workplace, command, data_dir, finished_run, monkeypatch):
    page = read("troubleshooting.md")
    shutil.copytree(finished_run, "runs/demo", symlinks=True)
    assert len(follow(page, command, "--data-dir", data_dir)) > 15

    overrides = ["optimizer.learning_rate=0.01", "model.batch_norm=false"]
    collapse = Collapse(load_config("mnist_hard", overrides))
    metrics = {"loss": 0.5, "embedding_spread": 1e-7}
    assert says(page, f"warning: {[collapse.warning(step, metrics) for step in range(100)][-1]}")

    wrong = [*changed("optimizer.learning_rate=1e30"), "--run-dir", "runs/mine"]
    status, _, err = command(train, "--config", "digits_semihard", "--data-dir", data_dir, *wrong)
    assert status == 1 and says(page, err.splitlines()[-1])

    assert says(page, f"triplet-train: {refusal(without_memory)}")
    images = table(np.zeros((5, 4, 4, 1), np.uint8), np.zeros(5, np.int64))
    assert says(page, refusal(make_embed(TooLarge(), 2), images))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=23.4 * 2**30))
    large = SimpleNamespace(bytes=42 * 2**30, split="train")
    held = DataConfig(dataset="digits", cache="memory")
    assert says(page, refusal(which_fit, [large], held))

    def unreachable(*_):
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    there = workplace / "nothing"
    status, _, err = command(train, "--config", "mnist_semihard", "--data-dir", there)
    assert status == 2 and says(page, err.replace(str(there), "/home/you/tensorflow_datasets"))
