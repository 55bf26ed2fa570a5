"""Pictures of files and of parts of files."""

import numpy as np
from PIL import Image

from triplet_train.console import SILENT
from triplet_train.jobs.search.pictures import pictures_of_files, pictures_of_gallery


def test_the_part_of_an_image_that_its_id_names_is_shown(tmp_path):
    halves = np.zeros((20, 20, 3), np.uint8)
    halves[:, 10:] = 255
    Image.fromarray(halves).save(tmp_path / "a.png")
    Image.fromarray(halves).save(tmp_path / "b#1.png")
    names = ["a.png", "a.png#10,0,20,20", "a.png#0,0,0.5,1", "b#1.png", "c.png", "a.png#1,x"]
    pictures = pictures_of_files(names, tmp_path)
    assert list(pictures) == names[:4]
    right, left = (pictures[name][:, 60:100] for name in names[1:3])  # between the margins
    assert right.min() == 255 and not left.any()
    assert np.array_equal(pictures["a.png"], pictures["b#1.png"])


def test_a_gallery_of_a_table_has_its_pictures_beside_the_table(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    metadata = {"dataset": str(tmp_path / "items.csv"), "config": None}
    pictures, remark = pictures_of_gallery(["a.png", "b.png", "a.png"], metadata, SILENT)
    assert list(pictures) == ["a.png"]
    assert remark == f"1 of 2 pictures of the gallery are not in the folder {tmp_path}."
