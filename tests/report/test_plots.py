import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from tests.helpers.examples import examples
from tests.helpers.report_contents import HOSTILE, LOG, evaluated, make
from triplet_train.evaluation import evaluate
from triplet_train.report.confusion import confused_labels, confusion_matrix, confusion_plot
from triplet_train.report.curves import curve_plots
from triplet_train.report.distances import distance_plot
from triplet_train.report.maps import map_plots
from triplet_train.report.projections import balanced_sample
from triplet_train.report.sheets import (
    hits,
    queries_shown,
    sheet_plots,
    typical_queries,
    worst_queries,
)
from triplet_train.report.style import name_of, plot_style, png, short_name


@pytest.fixture(autouse=True)
def strict():
    """Draw in the style of the page, and raise every warning as an error."""
    with plot_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def sheets(contents):
    return sheet_plots(contents.evaluated, contents.images)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("classes", [1, 2, 12, 13, 100])
def test_any_number_of_classes_has_a_map(without_tsne, classes):
    plots, remark = map_plots(make(classes, 4 if classes < 100 else 2).evaluated)
    assert plots[0].name == "map_pca"
    assert len(plots[0].figure.legends[0].get_texts()) == min(classes, 13)  # one for the others
    assert ("lowest map_at_r" in remark) == (classes > 12)
    assert png(plots[0].figure)


def test_a_map_of_many_classes_draws_some_and_names_the_worst_of_these(
    without_tsne,
):
    many = make(2100, 2).evaluated
    plots, _ = map_plots(many)
    assert png(plots[0].figure)
    drawn = many.queries.labels[balanced_sample(many.queries.labels)]
    assert len(set(drawn)) == len(drawn) == 2000 and 70 < (drawn >= 2000).sum() < 100


def test_vectors_that_all_coincide_have_no_map():
    plots, remark = map_plots(evaluated(np.ones((24, 8), np.float32), np.arange(24) % 8))
    assert plots == []
    assert "different vectors" in remark


def test_tsne_is_left_out_with_a_sentence_where_there_are_too_few_vectors():
    plots, remark = map_plots(make(8, 3).evaluated)
    assert [plot.name for plot in plots] == ["map_pca"]
    assert "t-SNE is left out" in remark
    plots, remark = map_plots(make(10, 3).evaluated)
    assert [plot.name for plot in plots] == ["map_pca", "map_tsne"]
    assert "t-SNE" not in remark


def test_images_for_a_map_are_drawn_evenly_by_class_and_always_the_same():
    labels = np.repeat([7, 3, 5], [5_000, 10, 500])
    rows = balanced_sample(labels, 1_000)
    assert (np.diff(rows) > 0).all()
    assert np.bincount(labels[rows])[[7, 3, 5]].tolist() == [495, 10, 495]
    assert (rows == balanced_sample(labels, 1_000)).all()
    assert balanced_sample(labels[:40], 1_000).tolist() == list(range(40))


@pytest.mark.parametrize("classes", [2, 30, 31, 301])
def test_confusion_is_a_matrix_up_to_30_classes_and_the_hardest_pairs_beyond(classes):
    confused = make(classes, 3, spread=9.0).evaluated
    figure = confusion_plot(confused.result, confused.class_names).figure
    assert png(figure)
    if classes <= 30:
        numbers = [int(text.replace(",", "")) for text in texts(figure)]
        assert sum(numbers) == confused.result.coverage.queries
    else:
        assert len(texts(figure)) == 20
        assert all(" → " in text for text in texts(figure))


def test_the_matrix_is_that_of_scikit_learn_and_has_the_classes_of_the_gallery_too():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 2)), rng.integers(0, 5, 80)
    gallery, labels = rng.normal(size=(60, 2)), rng.integers(3, 9, 60)
    found = evaluate(*examples(x, y, gallery, labels))
    shown = confused_labels(found)
    nearest = labels[found.neighbours[:, 0]]
    expected = metrics.confusion_matrix(y[found.query_indices], nearest, labels=shown)
    np.testing.assert_array_equal(confusion_matrix(found, shown), expected)
    assert shown == list(range(3, 9)) and expected.sum() == found.coverage.queries


def test_histograms_do_without_negative_pairs_and_thresholds():
    result = make(1, 5).evaluated.result
    assert not result.thresholds
    figure = distance_plot(result.distances, result.thresholds).figure
    assert png(figure)
    assert len(figure.legends[0].get_texts()) == 1


def test_histograms_name_every_threshold():
    result = make(8, 30).evaluated.result
    figure = distance_plot(result.distances, result.thresholds).figure
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(words) == 6 and any("most pairs told right" in word for word in words)
    assert any(f"{result.thresholds['eer']:.2f}" in word for word in words)


def test_curves_skip_null_values_and_leave_out_what_the_log_does_not_have():
    plots = {plot.name: plot.figure for plot in curve_plots(LOG, "recall_at_1")}
    assert len(plots) == 7
    assert plots["gradient_norm"].axes[0].lines[0].get_xdata().tolist() == [5]
    assert all(map(png, plots.values()))
    only = curve_plots([{"step": 1, "loss": 0.0, "gradient_norm": None}], "eer")
    assert [plot.name for plot in only] == ["loss"]
    assert png(only[0].figure)


def test_the_worst_queries_are_wrong_at_rank_1_and_the_surest_mistakes_first():
    vectors = np.array([[0.0], [0.1], [0.2], [5.0], [5.3], [9.0], [9.05]], np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2, 1])
    few = evaluated(vectors, labels)
    worst = few.result.query_indices[worst_queries(few)]
    assert 0 not in worst
    hits = [(labels[few.result.neighbours[q, :5]] == labels[q]).sum() for q in worst]
    assert hits == sorted(hits)
    assert len(worst_queries(few, 2)) == 2


@pytest.mark.parametrize("shape", [(8, 8, 1), (224, 224, 3), (20, 50, 3), (9, 7, 4), (8, 8, 2)])
def test_sheets_take_images_of_any_size_and_1_to_4_channels(shape):
    assert all(png(plot.figure) for plot in sheets(make(3, 3, shape)))


def test_sheets_mark_right_and_wrong_in_words_too():
    contents = make(8, 3)
    worst, typical = sheets(contents)
    for plot, positions in ((worst, worst_queries), (typical, typical_queries)):
        marks = [text[0] == "✓" for text in texts(plot.figure) if text[0] in "✓✗"]
        assert marks == hits(contents.evaluated)[positions(contents.evaluated)].ravel().tolist()


def test_the_images_of_the_queries_shown_are_all_that_sheets_need():
    contents = make(4, 12)
    few = {row: contents.images[row] for row in queries_shown(contents.evaluated)}
    assert len(few) < len(contents.images)
    for plot, same in zip(sheets(contents), sheets(replace(contents, images=few)), strict=True):
        assert png(plot.figure) == png(same.figure)


def test_a_perfect_tower_has_no_sheet_of_the_worst():
    assert [plot.name for plot in sheets(make(3, 3, spread=0.01))] == ["neighbours_random"]


def test_sheets_show_as_many_neighbours_as_there_are():
    assert all(png(plot.figure) for plot in sheets(make(2, 2)))


def test_a_single_query_has_no_map():
    queries = make(2, 2).evaluated.queries
    vectors, labels = queries.embeddings, queries.labels
    assert map_plots(evaluated(vectors[:1], labels[:1], vectors, labels))[0] == []


def test_names_in_plots_are_short_and_of_letters_that_the_font_has():
    shown = [short_name(label, HOSTILE) for label in range(9)]
    assert max(map(len, shown)) <= 12
    assert shown[1] == "$x_1^2…1}{0}"
    assert shown[2] == "class 2"
    assert shown[3] == "class 3"
    assert shown[5] == "tab an… line"
    assert shown[6] == "class 6"
    assert shown[8] == name_of(8, HOSTILE) == "class 8"
