"""The largest error of each function, in units in the last place (ulps).

The error of a number is divided by eps · size: 1.2e-7 · size for float32, 2.2e-16 · size for float64. The
size is the absolute value of the true number, or of the terms whose sum it is. `reason` says which one. The
size is never below the smallest normal number, so near zero, an ulp is the smallest subnormal number.

A formula of a few operations has an error of about 1 ulp; 4 ulps leave room for the exp, tanh and log of
other processors. A bound of 0 means that every digit must be correct.
"""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    """ulps : the bound of the error;  reason : what it is compared with, or why it is not tighter
    flushes : below the smallest normal number, all digits may be wrong"""

    ulps: float
    reason: str = ""
    flushes: bool = False


EXACT, SHORT = Bound(0), Bound(4)

SUM = Bound(4, "compared with the sum of |terms|: terms that cancel lose their digits in every order")
ROUNDED = Bound(4, "compared with the two terms of the difference: one is near 1, and rounded to the dtype")
FLUSHED = Bound(
    4, "the compiled e^x is 0, or the smallest normal number, where e^x is subnormal", flushes=True
)
FACTOR = Bound(
    4, "compared with |x| · max(σ, smallest normal number): σ is 0 where it is subnormal", flushes=True
)
CENTRED = Bound(
    8, "compared with |x − mean| + |mean|: the mean is rounded to the dtype, and x − mean may cancel"
)
GATED = Bound(
    8,
    "compared with gate·(1 + |z|·(1 − gate)), as z = a + u is rounded; three rounded gates reach h",
    flushes=True,
)
CHOICE = Bound(0, "a choice; nothing is promised within rounding of the threshold or of a tie")
PAIRS = Bound(1e8, "‖a‖² − 2ab + ‖b‖² may cancel down to 1e-8 of its terms; below that, a − b is computed")

BOUNDS: dict[str, Bound] = {
    "layers.activations.relu": EXACT,
    "layers.activations.relu_backward": EXACT,
    "layers.activations.leaky_relu": SHORT,
    "layers.activations.leaky_relu_backward": SHORT,
    "layers.activations.elu": SHORT,
    "layers.activations.elu_backward": SUM,
    "layers.activations.sigmoid": FLUSHED,
    "layers.activations.sigmoid_backward": SHORT,
    "layers.activations.tanh": SHORT,
    "layers.activations.tanh_backward": Bound(4, "compared with |dout|·(1 + out²): out is rounded near ±1"),
    "layers.activations.silu": FACTOR,
    "layers.activations.silu_backward": SUM,
    "layers.activations.gelu": Bound(
        4, "compared with |out|·(1 + 2|u|) for x < 0: a rounding of u multiplies e^(2u) by 1 + 2|u|·eps"
    ),
    "layers.activations.gelu_backward": Bound(
        4, "compared with |dout|·(|terms|·(1 + 2|u|)), as for gelu: the two terms cancel near x = −0.75"
    ),
    "layers.activations.softplus": FLUSHED,
    "layers.activations.softplus_backward": FACTOR,
    "layers.linear.affine": SUM,
    "layers.linear.affine_bias_grad": SUM,
    "layers.linear.affine_input_grad": SUM,
    "layers.masked.masked_weight": EXACT,
    "layers.masked.masked_affine": SUM,
    "layers.masked.masked_weight_grad": SUM,
    "layers.masked.masked_input_grad": SUM,
    "layers.conv.im2col": EXACT,
    "layers.conv.col2im": SUM,
    "layers.conv.conv2d": SUM,
    "layers.conv.conv2d_weight_grad": SUM,
    "layers.conv.conv2d_input_grad": SUM,
    "layers.conv.conv_transpose2d": SUM,
    "layers.conv.conv_transpose2d_weight_grad": SUM,
    "layers.conv.conv_transpose2d_input_grad": SUM,
    "layers.pooling.max_pool": EXACT,
    "layers.pooling.max_pool_backward": SUM,
    "layers.pooling.avg_pool": SUM,
    "layers.pooling.avg_pool_backward": SUM,
    "layers.upsample.upsample": EXACT,
    "layers.upsample.upsample_backward": SUM,
    "layers.arrays.add": SUM,
    "layers.arrays.add_to_pixels": SUM,
    "layers.arrays.sum_over_pixels": SUM,
    "layers.arrays.join": EXACT,
    "layers.arrays.split": EXACT,
    "layers.recurrent.steps_first": EXACT,
    "layers.attention.attention": Bound(
        4, "compared with p·(1 + Σ|q·k| / √D): a rounding of a score is a relative error of its weight"
    ),
    "layers.attention.attention_backward": SUM,
    "layers.cross_attention.cross_attention": Bound(
        4,
        "as those of attention; the compiled e^x is 0, or the smallest normal number, where e^x is subnormal",
        flushes=True,
    ),
    "layers.cross_attention.cross_attention_backward": SUM,
    "layers.normalisation.batch_norm": CENTRED,
    "layers.normalisation.batch_norm_backward": SUM,
    "layers.normalisation.scale_shift_backward": SUM,
    "layers.normalisation.layer_norm": CENTRED,
    "layers.normalisation.layer_norm_backward": SUM,
    "layers.group_norm.group_norm": CENTRED,
    "layers.group_norm.group_norm_backward": SUM,
    "layers.lstm.lstm_cell": GATED,
    "layers.lstm.lstm_cell_backward": SUM,
    "layers.gru.gru_cell": GATED,
    "layers.gru.gru_cell_backward": SUM,
    "layers.recurrent.forward_steps": GATED,
    "layers.recurrent.backward_steps": SUM,
    "losses.squared_error": Bound(4, "compared with the sum over the batch, which must be representable"),
    "losses.absolute_error": Bound(4, "compared with the sum over the batch, which must be representable"),
    "losses.bce_with_logits": Bound(
        4,
        "the loss: with the sum over the batch; the gradient: with σ and the target, as σ is rounded near 1",
        flushes=True,
    ),
    "losses.softmax_cross_entropy": Bound(
        4,
        "the loss: compared with its sum·(1 + |log loss|), as for log p; the gradient: with p·(1 + |log p|)",
        flushes=True,
    ),
    "losses.smoothed_cross_entropy": Bound(
        4, "as softmax_cross_entropy, with a smoothed label in place of the label", flushes=True
    ),
    "distributions.Bernoulli.mean": SHORT,
    "distributions.Bernoulli.log_prob": SHORT,
    "distributions.Bernoulli.log_prob_grad": ROUNDED,
    "distributions.Bernoulli.sample": CHOICE,
    "distributions.bernoulli_log_prob": FLUSHED,
    "distributions.Categorical.log_probabilities": Bound(
        4, "a small |log p| = e^(−gap) is compared with |log p|·(1 + gap): the gap of the logits is rounded"
    ),
    "distributions.Categorical.log_probabilities_backward": SUM,
    "distributions.Categorical.probabilities": Bound(
        4, "compared with p·(1 + |log p|): a rounding of the logit is a relative error of p"
    ),
    "distributions.Categorical.log_prob": Bound(4, "as log_probabilities"),
    "distributions.Categorical.log_prob_grad": ROUNDED,
    "distributions.Categorical.sample": CHOICE,
    "distributions.log_sum_exp": Bound(
        4, "compared with 1 + |result|: the largest term and log Σ may cancel"
    ),
    "distributions.divide_by_exp": SHORT,
    "distributions.Normal.std": SHORT,
    "distributions.Normal.log_prob": SUM,
    "distributions.Normal.log_prob_grad": Bound(
        8, "four factors 1/√std, each an e^x, and x − mu; dlogvar is compared with the sum of |terms|"
    ),
    "distributions.Normal.sample": SUM,
    "distributions.Normal.kl": Bound(
        4, "compared with |logvar|: std² − 1 − logvar cancels near 0; never below 0"
    ),
    "distributions.Normal.kl_grad": SHORT,
    "distributions.normal_log_cdf": Bound(
        4, "compared with |result|·(1 + x²) for x > 0: a rounding of x changes Φ(−x) by x² roundings"
    ),
    "distributions.normal_log_interval": Bound(
        4, "compared with 1 + |log Φ(b)|, and |log Φ(a)|·Φ(a) / (Φ(b) − Φ(a)), as the difference cancels"
    ),
    "distributions.Logistic.log_prob": SUM,
    "distributions.Logistic.log_prob_grad": Bound(
        8, "four factors 1/√s, each an e^x, and tanh; dlog_scale is compared with the sum of |terms|"
    ),
    "distributions.Logistic.sample": SUM,
    "training.optimisers.sgd_step": SUM,
    "training.optimisers.momentum_step": SUM,
    "training.optimisers.rmsprop_step": Bound(4, SUM.reason + "; grad² must be representable"),
    "training.optimisers.adam_step": Bound(
        64,
        SUM.reason
        + "; 1 − β₂ᵗ, in float64, loses up to 6 bits in the first steps; grad² must be representable",
    ),
    "training.optimisers.Optimizer.grad_norm": SHORT,
    "training.optimisers.Optimizer.clip_grad_norm": Bound(
        4, "the norm must be representable in float64, and the factor is rounded to the dtype"
    ),
    "training.optimisers.Optimizer.clip_grad_value": EXACT,
    "metrics.pairwise.squared_distances": PAIRS,
    "metrics.squared_error_per_example": SHORT,
    "metrics.nearest_distance": PAIRS,
    "metrics.frechet_distance": Bound(8, "compared with the means² and variances, whose difference it is"),
    "metrics.precision_recall": SHORT,
    "metrics.density_coverage": SHORT,
    "metrics.kernel_distance": SUM,
    "metrics.silhouette_score": Bound(PAIRS.ulps, "compared with 1; " + PAIRS.reason),
    "metrics.knn_accuracy": CHOICE,
    "metrics.kmeans": Bound(4, "the centroids, compared with the sum of |terms|; ties are left out"),
    "metrics.parzen_log_likelihood": Bound(
        64, "compared with |result| + 1e-8·(largest number / sigma)², which may cancel in a distance"
    ),
    "metrics.choose_sigma": CHOICE,
    "metrics.bits_per_dim": SUM,
    "metrics.bleu": Bound(4, "compared with BLEU·(1 + Σ|log p_n|): p_n is rounded before the product"),
    "metrics.exact_match": SHORT,
    "metrics.auroc": SHORT,
    "metrics.reliability": SHORT,
    "metrics.expected_calibration_error": Bound(4, "compared with 1: accuracy and confidence may cancel"),
    "metrics.accuracy": SHORT,
    "metrics.digit_shares": SHORT,
    "data.augment.affine_warp": Bound(
        8, "compared with the pixels times 1 + |map|: a rounded position moves the interpolated value"
    ),
    "models.autoregressive.made_sampling.fill_pixels": CHOICE,
    "initializers.he_normal": SHORT,
    "initializers.glorot_normal": SHORT,
    "initializers.normal": SHORT,
    "initializers.glorot_uniform": Bound(4, "compared with the limit of the interval"),
    "initializers.orthogonal": Bound(16, "WᵀW, compared with gain²: sums of products of rounded weights"),
    "layers.coupling.AffineCoupling": SHORT,
    "layers.coupling.Scaling": SUM,
    "models.PCA": Bound(
        8, "compared with the largest variance and the rounded mean²; the density: times λ₁ / σ²"
    ),
    "models.GaussianDiscriminant": Bound(
        8, "compared with |log det| + (1 + Mahalanobis²) · the condition number of the correlations"
    ),
    "models.GaussianNaiveBayes": Bound(
        8, "compared with the sum of |terms|, and mean / std for a rounded mean"
    ),
    "models.GaussianNaiveBayes.predict_proba": Bound(
        8, "compared with p times the size of the log-densities: their rounding is a relative error of p"
    ),
    "models.BernoulliNaiveBayes": SUM,
    "models.HiddenMarkovModel": Bound(
        8, "compared with the sum of |log-probabilities| along a path; p(z | x) times this; ties are left out"
    ),
    "models.NGram": Bound(4, "compared with 1 + |log p|: p is rounded near 1"),
    "models.vae.likelihood.importance_sampled": Bound(
        4, "compared with 3 + |result|: the largest weight and log Σ may cancel"
    ),
    "models.LogisticRegression": Bound(4, "compared with loss + 1 + Σ|x·w|: a rounding of the scores"),
    "models.LinearSVM": Bound(4, "compared with 4 + Σ|x·w|: a rounding of the margins; kinks are left out"),
    "models.NearestNeighbours": Bound(4, "ties are left out"),
    "models.gan.gradient_penalty": Bound(8, "compared with the terms of ‖g‖ − 1, which cancel near 1"),
    "checks.one_hot": EXACT,
}
