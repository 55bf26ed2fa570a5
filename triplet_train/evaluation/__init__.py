"""What a set of vectors is worth."""

from triplet_train.evaluation.retrieval import RetrievalFigures, has_pairs, retrieval_figures

__all__ = ["RetrievalFigures", "has_pairs", "retrieval_figures"]
