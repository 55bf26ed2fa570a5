"""Threads that decode image files."""

import os
import subprocess
import sys
import threading

import numpy as np

from tests.helpers.made_sets import make_folder
from triplet_train.data.classes import rotated
from triplet_train.data.images import selected
from triplet_train.data.unsplit_folder import unsplit_folder


def decoding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_all_tables_share_the_threads_of_the_process(tmp_path):
    make_folder(tmp_path, [f"{number}.png" for number in range(40)])
    for _ in range(3):
        assert sum(map(len, unsplit_folder(tmp_path, (8, 8, 3), "pad").batches(5))) == 40
    assert 1 <= len(decoding_threads()) <= os.cpu_count()


FORK = """
import os, sys
from pathlib import Path
import numpy as np
from triplet_train.data.unsplit_folder import unsplit_folder
table = unsplit_folder(Path(sys.argv[1]), (8, 8, 3), "pad")
table.read(np.array([0]))
child = os.fork()
table.read(np.array([0]))
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_decodes_with_threads_of_its_own(tmp_path):
    make_folder(tmp_path, ["a.png"])
    subprocess.run([sys.executable, "-c", FORK, tmp_path], check=True, timeout=60)


def test_a_failure_is_that_of_its_place_whatever_the_order_and_the_turn(tmp_path):
    make_folder(tmp_path, ["a.png", "b.png", "c.png"])
    (tmp_path / "b.png").write_bytes(b"no image")
    table = unsplit_folder(tmp_path, (8, 8, 3), "pad")
    for some, rows, places in (
        (table, [2, 1, 0, 1], {1, 3}),
        (selected(table, np.array([1, 2])), [1, 0], {1}),
        (rotated(table), [3, 4, 11, 7, 0], {1, 3}),
    ):
        images, failures = some.try_read(np.array(rows))
        assert failures.keys() == places
        assert all(str(tmp_path / "b.png") in line for line in failures.values())
        assert {place for place, image in enumerate(images) if not image.any()} == places
