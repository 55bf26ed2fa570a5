"""Text of an evaluation."""

import numpy as np

from tests.helpers.examples import examples
from triplet_train.evaluation import evaluate
from triplet_train.evaluation.text import result_as_text as as_text

X = np.random.default_rng(0).normal(size=(120, 4))


def test_the_text_names_the_worst_ten_classes_and_counts_the_others():
    labels = np.repeat(np.arange(13), 6)
    found = evaluate(*examples(np.random.default_rng(0).normal(size=(78, 3)), labels))
    text = as_text(found, {label: f"class{label:02d}" for label in range(13)})
    table = text.split("worst classes")[1].split("...")[0]
    assert [line.split()[0] for line in table.splitlines()[1:]] == [
        f"class{row.label:02d}" for row in found.classes[:10]
    ]
    assert "... 3 more classes, all in --json" in text
    hardest = found.confusions[0]
    assert f"class{hardest.label:02d} taken for class{hardest.mistaken_for:02d}: " in text
    assert text.count("taken for") == 5
    low, high = found.intervals["map_at_r"]
    assert f"{found.metrics['map_at_r']:.4f}  {low:.4f} to {high:.4f}" in text
    assert "10,000 bootstrap samples of whole classes" in text and "other seeds" in text
    assert f"{found.thresholds['fpr_1e-2']:.4g}" in text


def test_the_text_has_names_of_classes_in_one_line_without_control_characters():
    text = as_text(
        evaluate(*examples(X, np.arange(len(X)) % 2)), {0: "new\nline", 1: "\x1b[31mred"}
    )
    assert "new\\nline  " in text and "\\x1b[31mred taken for new\\nline" in text
    assert text.replace("\n", "").isprintable()


def test_the_text_gives_the_reason_for_a_missing_part():
    one_class = as_text(evaluate(*examples(X, np.zeros(len(X), int))), {0: "a"})
    assert "no 95 % intervals, since the queries are of one class" in one_class
    assert "all pairs are of one class" in one_class.lower() and "taken for" not in one_class
    collapsed = as_text(evaluate(*examples(np.ones((20, 3)), np.arange(20) % 2)), {0: "a", 1: "b"})
    assert "(none)" in collapsed
