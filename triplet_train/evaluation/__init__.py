"""What a set of vectors is worth: retrieval, verification, clustering."""

from triplet_train.evaluation.classes import ClassFigures, Confusion
from triplet_train.evaluation.judgement import Judgement, judge
from triplet_train.evaluation.retrieval import RetrievalFigures, has_pairs, retrieval_figures
from triplet_train.evaluation.verification import DistanceHistograms

__all__ = [
    "ClassFigures",
    "Confusion",
    "DistanceHistograms",
    "Judgement",
    "RetrievalFigures",
    "has_pairs",
    "judge",
    "retrieval_figures",
]
