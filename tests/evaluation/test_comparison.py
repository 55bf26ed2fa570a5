"""A comparison: means of each side, paired differences, and the words for them."""

import numpy as np
import pytest

from triplet_train.evaluation.bootstrap import difference_intervals
from triplet_train.evaluation.comparison import Measured, compare
from triplet_train.evaluation.comparison_text import comparison_as_text, sentences
from triplet_train.evaluation.metrics import MetricTable
from triplet_train.evaluation.sides import Side, Tower

LABELS = np.repeat(np.arange(8), 5)
TABLE = MetricTable((1,), (), ())
RNG = np.random.default_rng(0)


def measured(recall, map_at_r, eer):
    per_query = {"recall_at_1": recall, "map_at_r": map_at_r}
    return Measured({**{k: float(v.mean()) for k, v in per_query.items()}, "eer": eer}, per_query)


def side(name, *origins):
    return Side(name, [Tower(origin, {"config": {"seed": n}}) for n, origin in enumerate(origins)])


def comparison(*towers, labels=LABELS):
    """One tower, or two, on each side; the second half of the towers is the other side."""
    values = {f"run_{place}": each for place, each in enumerate(towers)}
    first, other = np.array_split(list(values), 2)
    sides = [side("semi_hard", *first.tolist()), side("naive", *other.tolist())]
    return compare(sides, values, labels, TABLE)[0]


BETTER = measured(RNG.random(40), 0.8 + 0.1 * RNG.random(40), 0.1)
WORSE = measured(RNG.random(40), 0.4 + 0.1 * RNG.random(40), 0.3)


def test_values_are_means_over_the_runs_and_differences_those_of_the_first_side():
    found = comparison(BETTER, WORSE, WORSE, WORSE)
    by_name = {each.metric.name: each for each in found.differences}
    assert list(by_name) == ["recall_at_1", "map_at_r", "eer"]
    assert by_name["eer"].first == pytest.approx(0.2) and by_name["eer"].interval is None
    assert by_name["eer"].difference == pytest.approx(-0.1)
    runs = [np.array([[each.per_query["map_at_r"]] for each in half])
            for half in ((BETTER, WORSE), (WORSE, WORSE))]  # fmt: skip
    mean = (runs[0].mean() - runs[1].mean()).item()
    assert by_name["map_at_r"].difference == pytest.approx(mean)
    low, high = by_name["map_at_r"].interval
    expected = difference_intervals(*runs, LABELS)[:, 0].clip(-1, 1)
    np.testing.assert_allclose([low, high], expected)
    assert low < mean < high and found.covers_training


def test_words_say_who_is_ahead_by_what_or_that_no_difference_is_shown():
    words = sentences(comparison(BETTER, WORSE))
    assert words[0].startswith("recall_at_1: no difference is shown: between -")
    assert (
        words[1].startswith("semi_hard is ahead of naive by 3") and "points of map_at_r" in words[1]
    )
    swapped = sentences(comparison(WORSE, BETTER))[1]
    assert swapped.startswith("naive is ahead of semi_hard by 3")


def test_the_text_says_whether_the_noise_of_training_is_covered():
    one = comparison_as_text(comparison(BETTER, WORSE))
    assert "40 queries of 8 classes, the same for both sides" in one
    assert "do not include the noise of training" in one
    several = comparison_as_text(comparison(BETTER, BETTER, WORSE, WORSE))
    assert "and over the seeds of 2 and 2 runs" in several and "noise" not in several
    assert "semi_hard: run_0, run_1 (seeds 0, 1)\nnaive: run_2, run_3 (seeds 0, 1)\n" in several
    assert "\neer              10.00  30.00      -20.00\n" in several


def test_queries_of_one_class_are_compared_without_intervals():
    text = comparison_as_text(comparison(BETTER, WORSE, labels=np.zeros(40, int)))
    assert "40 queries of 1 class, the same for both sides: an interval needs two classes." in text
    assert "ahead" not in text
