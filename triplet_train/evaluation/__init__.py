"""What a set of vectors is worth."""

from triplet_train.evaluation.retrieval import RetrievalFigures, retrieval_figures

__all__ = ["RetrievalFigures", "retrieval_figures"]
