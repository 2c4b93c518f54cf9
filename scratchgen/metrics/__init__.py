"""Metrics of reconstructions, samples, scores and probabilities.

All take NumPy arrays, compute in float64, and raise TypeError or ValueError for arguments that do not fit.
Distances are computed in blocks of rows, so that memory does not grow with the square of the data.
"""

from scratchgen.metrics.calibration import Reliability, expected_calibration_error, reliability
from scratchgen.metrics.clusters import kmeans, knn_accuracy, silhouette_score
from scratchgen.metrics.densities import choose_sigma, parzen_log_likelihood
from scratchgen.metrics.distances import frechet_distance, nearest_distance, squared_error_per_example
from scratchgen.metrics.labels import Shares, accuracy, digit_shares
from scratchgen.metrics.likelihood import bits_per_dim
from scratchgen.metrics.ranking import auroc

__all__ = [
    "Reliability",
    "Shares",
    "accuracy",
    "auroc",
    "bits_per_dim",
    "choose_sigma",
    "digit_shares",
    "expected_calibration_error",
    "frechet_distance",
    "kmeans",
    "knn_accuracy",
    "nearest_distance",
    "parzen_log_likelihood",
    "reliability",
    "silhouette_score",
    "squared_error_per_example",
]
