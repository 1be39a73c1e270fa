"""Scores that a reviewer believes: what the benchmarks are, and what a model must be better than.

catalogue    every task of the benchmark suites: classes, lengths, metric, published numbers, and where its files go
metrics      scores over a whole test set, by scikit-learn
intervals    bootstrap intervals of a score, and of a difference on the same rows
calibration  whether probabilities are what they say; confusion matrices
ranking      area under the ROC curve and rank correlation, with intervals in closed form; no scikit-learn
kmers, cnn   what a model must be better than: the floor of composition, and the paper's CNN
"""

from caduceus.evaluate.ranking import Measure, auroc, midranks, spearman

__all__ = ["Measure", "auroc", "midranks", "spearman"]
