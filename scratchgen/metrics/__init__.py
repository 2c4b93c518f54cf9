"""Metrics for reconstructions, latent codes, samples, scores and predicted probabilities.

All functions take NumPy arrays and compute in float64. For wrong arguments they raise TypeError or
ValueError, with a message that says what was expected and what was given. Distances are computed in blocks of
rows, so memory does not grow with the square of the number of examples.
"""

from scratchgen.metrics.calibration import Reliability, expected_calibration_error, reliability
from scratchgen.metrics.clusters import kmeans, knn_accuracy, silhouette_score
from scratchgen.metrics.densities import choose_sigma, parzen_log_likelihood
from scratchgen.metrics.discrepancy import KernelDistance, kernel_distance
from scratchgen.metrics.distances import frechet_distance, nearest_distance, squared_error_per_example
from scratchgen.metrics.labels import Shares, accuracy, digit_shares
from scratchgen.metrics.likelihood import bits_per_dim
from scratchgen.metrics.neighbours import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from scratchgen.metrics.ranking import auroc
from scratchgen.metrics.samples import SampleMetrics, SampleQuality
from scratchgen.metrics.translation import bleu, exact_match

__all__ = [
    "DensityCoverage",
    "KernelDistance",
    "PrecisionRecall",
    "Reliability",
    "SampleMetrics",
    "SampleQuality",
    "Shares",
    "accuracy",
    "auroc",
    "bits_per_dim",
    "bleu",
    "choose_sigma",
    "density_coverage",
    "digit_shares",
    "exact_match",
    "expected_calibration_error",
    "frechet_distance",
    "kernel_distance",
    "kmeans",
    "knn_accuracy",
    "nearest_distance",
    "parzen_log_likelihood",
    "precision_recall",
    "reliability",
    "silhouette_score",
    "squared_error_per_example",
]
