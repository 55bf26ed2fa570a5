"""The script on the page about a nightly index, run by a shell."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from triplet_train.embeddings.files import read_table

PAGE = Path(__file__).parents[3] / "docs/nightly.md"


@pytest.mark.slow
def test_the_script_on_the_page_keeps_a_store_and_its_status_says_what_is_wrong(
    tmp_path, finished_run
):
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    (tmp_path / "night.sh").write_text(script)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/demo").symlink_to(finished_run)
    photos = tmp_path / "photos"
    photos.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def night():
        request = ["sh", tmp_path / "night.sh"]
        done = subprocess.run(
            request, env=os.environ | {"PATH": path}, capture_output=True, text=True, cwd="/"
        )
        ids = read_table(tmp_path / "store.parquet").ids if done.returncode < 2 else []
        return done.returncode, len(ids), done.stderr

    Image.new("L", (8, 8)).save(photos / "a.png")
    assert night() == (0, 1, "")
    status, count, err = night()
    assert (status, count) == (0, 1) and "1 of 1 images are in store.parquet; nothing" in err
    (photos / "bad.png").write_bytes(b"no image")
    Image.new("L", (8, 8), 99).save(photos / "b.png")
    status, count, err = night()
    assert (status, count) == (1, 2) and "photos/bad.png: " in err
    assert night()[:2] == (1, 2)  # all that is new cannot be read
    (photos / "bad.png").unlink()
    assert night()[:2] == (0, 2)
    shutil.move(photos, tmp_path / "elsewhere")
    status, _, err = night()
    assert status == 2 and "--images photos: no such folder" in err
    assert len(read_table(tmp_path / "store.parquet").ids) == 2
