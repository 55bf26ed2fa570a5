"""Extrapolation of what a run needs: laws that are fitted, and their sum for a run."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "scripts/bench"
GIB = 2**30


@pytest.fixture(scope="module")
def extrapolation():
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("extrapolation")
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture
def laws(extrapolation):
    """Laws whose coefficients are easy to follow."""

    def law(**terms):
        return extrapolation.Law({term.replace("_", " "): each for term, each in terms.items()})

    return extrapolation.Laws(
        start=law(images=1e-5, identities=1e-4),
        start_memory=extrapolation.Law({"1": 1e9, "images": 500, "identities": 100}),
        choice=extrapolation.Law({"1": 1e-4}),
        loss=law(batch_x_batch=1e-8, batch_x_batch_x_dimensions=1e-10),
        loss_memory=law(batch_x_batch=40),
        sampled=law(queries_x_gallery=1e-8),
        sampled_memory=law(gallery_x_dimensions=12),
        whole=law(queries_x_gallery=2e-8, identities=1e-3),
        whole_memory=law(gallery_x_dimensions=20),
        writing=law(rows=1e-6),
        file=law(rows_x_dimensions=4, rows=30),
        indexing=law(vectors_x_log_vectors=1e-5),
        index=law(vectors_x_dimensions=4, vectors=256),
    )


def test_a_law_is_found_again_from_values_that_follow_it(extrapolation):
    true = extrapolation.Law({"1": 2.0, "images": 3e-6, "identities": 0.0})
    sizes = [
        {"images": images, "identities": identities}
        for images, identities in ((10**4, 10**3), (10**5, 10**3), (10**5, 10**4), (10**6, 10**5))
    ]
    found = extrapolation.fitted(list(true.terms), [(each, true.at(each)) for each in sizes])
    assert found.terms == pytest.approx(true.terms, rel=1e-9, abs=1e-12)
    assert found.at({"images": 10**8, "identities": 10**6}) == pytest.approx(302)


def test_no_term_of_a_law_is_negative_and_errors_count_by_their_share(extrapolation):
    points = [({"images": 10.0}, 5.0), ({"images": 100.0}, 4.0)]
    law = extrapolation.fitted(["1", "images"], points)
    assert law.terms["images"] == 0  # values that fall
    # The constant c that makes (c / 5 - 1)^2 + (c / 4 - 1)^2 least.
    assert law.terms["1"] == pytest.approx((1 / 5 + 1 / 4) / (1 / 25 + 1 / 16))


def test_all_points_of_the_largest_size_are_left_out_together(extrapolation):
    points = [({"images": n, "identities": c}, 1.0) for n, c in ((1, 1), (9, 1), (3, 2), (9, 4))]
    below, largest = extrapolation.apart(points, "images")
    assert [sizes["images"] for sizes, _ in below] == [1, 3]
    assert [sizes["identities"] for sizes, _ in largest] == [1, 4]


def test_the_needs_of_one_machine_are_those_computed_by_hand(extrapolation, laws):
    run = extrapolation.Run(
        10**6, 10**4, dimensions=64, batch=1000, weights=10**6, queries=5000, embedded=1000
    )
    found = extrapolation.needs(run, laws)
    assert found.start == pytest.approx(10 + 1)
    whole = 20 * 10**5 * 64  # of 100,000 held-out images, more than 12 for each number
    assert found.memory == pytest.approx(1e9 + 5e8 + 1e6 + 40 * 1e6 + whole)
    assert found.step == pytest.approx(1e-4 + 0.01 + 0.0064)
    assert found.exchanged == 0
    assert found.evaluation == pytest.approx(100 + 5000 * 1e5 * 1e-8)
    assert found.whole == found.sharded == pytest.approx(100 + 200 + 1)
    assert found.exporting == pytest.approx(11 + 1000 + 1)
    assert found.file == 10**6 * (4 * 64 + 30)
    assert found.indexing == pytest.approx(1e-5 * 10**6 * 19.931569)  # log2 of a million
    assert found.index == 10**6 * (4 * 64 + 256)
    assert extrapolation.exceeded(found) == []


def test_eight_machines_share_export_and_queries_but_not_the_list_or_the_loss(extrapolation, laws):
    one = extrapolation.Run(10**6, 10**4, dimensions=64, batch=1000, weights=10**6)
    eight = replace(one, machines=8)
    alone, shared = (extrapolation.needs(run, laws) for run in (one, eight))
    for name in ("start", "memory", "evaluation", "whole", "file"):
        assert getattr(shared, name) == getattr(alone, name), name
    # Around a ring each sends 2 x 7 / 8 of 4 bytes for embeddings and, twice, gradients.
    assert shared.exchanged == 2 * 7 / 8 * 4 * (1000 * 64 + 2 * 10**6 + 1)
    assert shared.step == pytest.approx(alone.step + shared.exchanged / one.network)
    assert shared.sharded == pytest.approx((100 + 200) / 8 + 1)
    assert shared.exporting == pytest.approx(11 + (1000 + 1) / 8)


def test_a_sample_of_the_queries_is_never_larger_than_the_gallery(extrapolation, laws):
    run = extrapolation.Run(10**4, 10**2, queries=5000, embedded=1e9)
    assert extrapolation.needs(run, laws).evaluation == pytest.approx(1000 * 1000 * 1e-8, rel=1e-3)


def test_the_limits_that_are_exceeded_are_named_in_the_order_in_which_a_run_meets_them(
    extrapolation, laws
):
    found = extrapolation.needs(extrapolation.Run(10**9, 10**6), laws)
    assert extrapolation.exceeded(found) == list(extrapolation.Limits._fields)
    small = extrapolation.needs(extrapolation.Run(10**5, 10**3), laws)
    assert extrapolation.exceeded(small) == []
    tight = extrapolation.Limits(memory=1 * GIB)
    assert extrapolation.exceeded(small, tight) == ["memory"]
