"""Rules of a request for an evaluation; tests/cli/bad_input.txt has each with its message."""

from pathlib import Path

import pytest

from triplet_train.errors import RequestError
from triplet_train.evaluation.episodes import Episodes
from triplet_train.jobs.evaluate.request import EvaluationRequest

QUERIES, RUN = Path("q.npz"), Path("run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either --checkpoint or --queries"),
        ({"checkpoint": QUERIES}, "q.npz is an embedding file; give it as --queries"),
        ({"gallery": QUERIES, "checkpoint": RUN}, "--gallery needs --queries"),
        ({"checkpoint": RUN, "dataset": "image_folder"}, "triplet-embed --images"),
        ({"queries": QUERIES, "any_model": True}, "need --checkpoint, not --queries"),
        ({"queries": QUERIES, "classes": "a"}, "need --checkpoint, not --queries"),
        ({"checkpoint": RUN, "more": [RUN]}, "run: one run is evaluated at a time; give --against"),
        ({"queries": QUERIES, "gallery": RUN, "against": [RUN]}, "with a column role; leave out"),
        ({"queries": QUERIES, "against": [RUN]}, "--against run: no such run or file"),
        ({"queries": QUERIES, "against": [Path("tests")]}, "compared with embedding files"),
        ({"queries": QUERIES, "against": [Path("./q.npz")]}, "nothing but the run or file"),
        ({"queries": QUERIES, "seed": 0}, "need --episodes"),
        ({"queries": QUERIES, "gallery": RUN, "episodes": 9}, "leave out --gallery"),
        ({"queries": QUERIES, "episodes": 9, "ways": 1}, "ways must be at least 2, not 1"),
        ({"queries": QUERIES, "set_": ["evaluation.queries=5"]}, "keys that can be set are eval"),
        ({"queries": QUERIES, "set_": ["evaluation.recall_at=[0]"]}, r"evaluation\.recall_at\.0: "),
        ({"queries": QUERIES, "pairs": Path("x.csv"), "episodes": 9}, "leave out --episodes"),
        (
            {"queries": QUERIES, "pairs": Path("x.csv"), "set_": ["evaluation.recall_at=[1]"]},
            "--pairs computes no rankings",
        ),
        ({"queries": QUERIES, "pairs": Path("x.txt")}, "--pairs: the name of a table ends in"),
        ({"queries": QUERIES, "thresholds_from": QUERIES}, "choose thresholds on others"),
        (
            {"queries": QUERIES, "thresholds_from": Path("a.json"), "json": Path("a.json")},
            "--thresholds-from and --json both name a.json",
        ),
        ({"queries": QUERIES, "thresholds_from": Path("no.json")}, "no such file: no.json"),
        ({"queries": QUERIES, "json": Path("x.h5")}, "x.h5: .h5 is a suffix of embedding files"),
        ({"queries": QUERIES, "report": Path("x.pdf")}, "must end in .html"),
    ],
)
def test_a_contradictory_request_is_refused_at_the_first_rule_that_it_breaks(options, message):
    later = {"report": Path("no/such/folder.pdf")}
    with pytest.raises(RequestError, match=message):
        EvaluationRequest(**later | options)


def test_options_become_a_data_set_and_episodes():
    request = EvaluationRequest(checkpoint=RUN, data_dir=Path("sets"), episodes=20, shots=3)
    assert request.data_set() == {"data_dir": "sets"}
    assert request.drawn == Episodes(20, ways=5, shots=3, seed=0)
    assert EvaluationRequest(queries=QUERIES).drawn is None


def test_a_page_needs_its_place_and_that_of_its_plots(tmp_path):
    page = tmp_path / "x.html"
    (tmp_path / "x_plots").mkdir()
    with pytest.raises(RequestError, match="x_plots exists; give --overwrite"):
        EvaluationRequest(queries=QUERIES, report=page)
    assert EvaluationRequest(queries=QUERIES, report=page, overwrite=True).report == page
