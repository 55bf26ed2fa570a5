import weakref

import numpy as np

from tests.helpers.tables import table
from triplet_train.console import SILENT
from triplet_train.jobs.train.end import export_and_evaluate, is_finished
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training.state import TrainingState

AT_ONCE = 8  # images


def test_a_run_without_a_page_or_its_plots_is_not_finished(run_copy, digits_config):
    request = TrainRequest(digits_config(), RunFolder(run_copy))
    assert is_finished(request)
    (run_copy / "plots").rmdir()
    assert not is_finished(request)
    (run_copy / "plots").mkdir()
    (run_copy / "report.html").unlink()
    assert not is_finished(request)


def test_the_pixels_of_three_batches_at_most_are_in_memory_while_a_run_exports(
    run_copy, digits_config, without_pages
):
    formats = "embeddings.formats=[npz, projector]"
    config = digits_config(f"train.microbatch={AT_ONCE}", formats)
    images = np.random.default_rng(0).integers(0, 17, (120, 8, 8, 1), np.uint8)
    read, held = [], []

    def tracked(rows):
        some = images[rows]
        read.append(weakref.ref(some))
        held.append(sum(len(one()) for one in read if one() is not None))
        return some, {}

    made = table(images, np.arange(120) % 4, split="test")
    object.__setattr__(made, "try_read", tracked)
    export_and_evaluate(
        TrainRequest(config, RunFolder(run_copy)), [made], TrainingState(20, 1), SILENT
    )
    assert len(read) == 120 / AT_ONCE and max(held) <= 3 * AT_ONCE  # read, used, let go
    assert (run_copy / "tensorboard/test.projector/sprite.png").is_file()
