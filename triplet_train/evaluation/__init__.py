"""What a set of vectors is worth: retrieval, verification, clustering."""

from triplet_train.evaluation.classes import ClassFigures, Confusion
from triplet_train.evaluation.coverage import Coverage, leave_one_out_coverage
from triplet_train.evaluation.judgement import Judgement, judge
from triplet_train.evaluation.retrieval import RetrievalFigures, has_pairs, retrieval_figures
from triplet_train.evaluation.verification import DistanceHistograms

__all__ = [
    "ClassFigures",
    "Confusion",
    "Coverage",
    "DistanceHistograms",
    "Judgement",
    "RetrievalFigures",
    "has_pairs",
    "judge",
    "leave_one_out_coverage",
    "retrieval_figures",
]
