import sys
from base64 import b64encode
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.helpers.examples import examples
from tests.helpers.report_contents import HOSTILE, LOG, evaluated, make
from triplet_train import files
from triplet_train.evaluation import METRICS, evaluate
from triplet_train.evaluation.comparison import compare
from triplet_train.evaluation.episodes import Episodes, evaluate_episodes
from triplet_train.evaluation.sides import Side, Tower
from triplet_train.report import page
from triplet_train.report.page import write_report

SECTIONS = [
    "Metrics",
    "Training",
    "Distances",
    "Map",
    "Nearest neighbours",
    "Confusion between classes",
    "Classes",
    "Configuration",
    "Environment",
]


class Parsed(HTMLParser):
    """The tags and words of a page, and the addresses that it would fetch."""

    def __init__(self, file):
        super().__init__()
        self.tags, self.text, self.sources, self.headings = set(), "", [], []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        found = dict(attributes)
        self.sources += [found[key] for key in ("src", "href") if key in found]
        assert not any(key.startswith("on") for key in found)
        self._in_heading = tag == "h2"

    def handle_data(self, data):
        self.text += data
        if getattr(self, "_in_heading", False) and data.strip():
            self.headings.append(data)
            self._in_heading = False


@pytest.fixture
def without_maps(monkeypatch):
    """Leave out the maps, for speed."""
    monkeypatch.setattr(page, "map_plots", lambda contents: ([], ""))


def test_hostile_names_are_text(report):
    parsed = Parsed(report)
    assert "script" not in parsed.tags
    for name in (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[4], "tab and new line", "class 2"):
        assert name in parsed.text
    assert "</pre><script>alert(2)</script>" in parsed.text


def test_the_page_needs_nothing_but_itself(report):
    sources = Parsed(report).sources
    assert all(source.startswith(("data:", "#")) for source in sources)


def test_the_page_holds_the_very_plots_that_lie_beside_it(report):
    html = (report).read_text(encoding="utf-8")
    plots = sorted((report.parent / "plots").iterdir())
    names = {plot.stem for plot in plots}
    assert {"loss", "distances", "map_pca", "neighbours_worst", "confusion"} <= names
    for plot in plots:
        assert b64encode(plot.read_bytes()).decode() in html


@pytest.mark.slow
def test_the_same_contents_give_the_same_bytes(report, tmp_path):
    write_report(make(8, 4), tmp_path / "report.html")
    for file in (report, *(report.parent / "plots").iterdir()):
        assert (tmp_path / file.relative_to(report.parent)).read_bytes() == file.read_bytes()


def test_sections_without_data_are_left_out_with_a_sentence(report, tmp_path, without_maps):
    bare = replace(make(), log=None, images=None, config=None, environment=None)
    write_report(bare, tmp_path / "report.html")
    parsed = Parsed(tmp_path / "report.html")
    assert parsed.headings == Parsed(report).headings == SECTIONS
    for missing in ("training curves", "sheets of images", "configuration of the run", "ran on"):
        assert missing in parsed.text
    assert not (tmp_path / "plots" / "loss.png").exists()
    assert not (tmp_path / "plots" / "neighbours_random.png").exists()


def test_the_page_says_what_its_metrics_are_over_and_what_was_left_out(tmp_path, without_maps):
    labels = np.array([0, 0, 0, 1, 1, 2, 3])
    vectors = np.random.default_rng(0).normal(size=(7, 8)).astype(np.float32)
    found = evaluate(*examples(vectors, labels))
    coverage = replace(found.coverage, rows_without_label=4)
    contents = make(
        evaluated=evaluated(
            vectors,
            labels,
            class_names=dict(enumerate("abcd")),
            result=replace(found, coverage=coverage),
            episodes=evaluate_episodes(vectors, labels, Episodes(2, ways=2)),
        ),
        images=None,
        log=[LOG[-1] | asdict(coverage)],
    )
    write_report(contents, tmp_path / "report.html")
    text = Parsed(tmp_path / "report.html").text
    assert "5 queries of 2 classes, each searching all others\n" in text
    assert "left out, without a label: 4\n" in text
    assert "no other image of their class to find: 2 queries of 2 classes (c, d)\n" in text
    assert f"They are over {coverage}." in text
    assert "drawn from 2 classes (2 more have too few images)" in text


def test_the_page_shows_the_comparisons_in_words_and_with_a_plot_each(tmp_path, without_maps):
    contents = make(log=None, images=None)
    found = contents.evaluated.result
    vectors = np.random.default_rng(1).normal(size=(24, 8)).astype(np.float32)
    labels = contents.evaluated.queries.labels
    towers = {"<b>one": found, "two": evaluate(*examples(vectors, labels)), "three": found}
    sides = [Side(name, [Tower(name, {})]) for name in towers]
    compared = replace(contents.evaluated, comparisons=compare(sides, towers, labels, METRICS))
    write_report(replace(contents, evaluated=compared), tmp_path / "report.html")
    parsed = Parsed(tmp_path / "report.html")
    assert parsed.headings == [SECTIONS[0], "Comparison", *SECTIONS[1:]]
    assert "<b>one is ahead of two by " in parsed.text
    assert "recall_at_1: no difference is shown: between +0.00 and +0.00 points" in parsed.text
    plots = {plot.stem for plot in (tmp_path / "plots").iterdir()}
    assert {"comparison_1", "comparison_2"} <= plots


def test_re_ranked_metrics_are_beside_the_plain_ones(tmp_path, without_maps):
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(30, 3)), np.arange(30) % 3
    result = evaluate(*examples(vectors, labels), reranked=True)
    contents = make(images=None)
    again = evaluated(vectors.astype(np.float32), labels, result=result)
    write_report(replace(contents, evaluated=again), tmp_path / "x.html")
    text = " ".join(Parsed(tmp_path / "x.html").text.split())
    assert "metricvaluere-ranked95% intervalmeaning" in text
    for name in ("recall_at_1", "map", "minp"):
        assert f"{name}{result.metrics[name]:.4f}{result.reranked.metrics[name]:.4f}" in text
    assert "all queries and the whole gallery have to be known together" in text


def test_one_class_has_a_page_without_confusion_and_thresholds(tmp_path, without_maps):
    write_report(make(1, 4, log=None), tmp_path / "report.html")
    text = Parsed(tmp_path / "report.html").text
    assert "No class is taken for another" in text
    assert "Are two images of the same class?" not in text


def test_more_classes_than_the_table_holds_are_counted(tmp_path, without_maps):
    write_report(make(300, 2, log=None, images=None), tmp_path / "report.html")
    assert "the first 200 of 300" in Parsed(tmp_path / "report.html").text


@pytest.mark.parametrize("drawn", [False, True])
def test_a_report_that_fails_leaves_the_old_page_and_no_plots(
    tmp_path, monkeypatch, without_maps, drawn
):
    (tmp_path / "report.html").write_text("old")
    with monkeypatch.context() as patch:
        if drawn:
            patch.setattr(files.os, "replace", lambda *_: 1 / 0)
        else:
            patch.setattr(page, "_html", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_report(make(log=None, images=None), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("again", [False, True])
def test_a_report_that_is_interrupted_between_its_files_leaves_no_plots_without_their_page(
    tmp_path, monkeypatch, without_maps, again
):
    if again:
        (tmp_path / "x.html").write_text("old")
        (tmp_path / "x_plots").mkdir()
        (tmp_path / "x_plots/loss.png").touch()
    put, left = files.os.replace, [True]

    def only_once(written, path):
        if not left:
            sys.exit(143)
        left.pop()
        put(written, path)

    monkeypatch.setattr(files.os, "replace", only_once)
    with pytest.raises(SystemExit):
        write_report(make(log=None, images=None), tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]
    assert Parsed(tmp_path / "x.html").text


def test_plots_that_the_page_no_longer_has_are_removed(tmp_path, without_maps):
    (tmp_path / "x_plots").mkdir()
    (tmp_path / "x_plots/loss.png").touch()
    write_report(make(log=None, images=None), tmp_path / "x.html")
    plots = {path.name for path in (tmp_path / "x_plots").iterdir()}
    assert plots == {"distances.png", "confusion.png"}
