"""Exercises on normalisation, pooling and convolution."""

from __future__ import annotations

from scratchgen.exercises.kinds import all_of, of_layer
from scratchgen.exercises.spec import Equation, Exercise

LAYERS = "docs/layers.md"
NORMALISATION = "scratchgen.layers.normalisation"
POOLING = "scratchgen.layers.pooling"
CONV = "scratchgen.layers.conv"
XHAT = "xhat is out without the scale and shift: out = weight·xhat + bias, entry by entry."
VAR = (
    "xhat = xc / √(var + eps), and inv = 1 / √(var + eps). The slope of (var + eps)^(−½) for var is "
    "−½·inv³. Every entry that shares a var adds to its gradient."
)
XC = (
    "xc is used twice: in xhat = xc·inv, and in var, a mean of squares. Add both gradients. The slope of "
    "the mean for one entry is 2·xc divided by the number of entries in the mean."
)
X = (
    "xc = x − mean, and mean depends on every entry. So dx is dxc plus what arrives through the mean: minus "
    "the sum of dxc, divided by the number of entries, for each of them."
)
UNITS = (
    "The cache has xhat and inv but not xc, which is xhat / inv. Equations {} are checked together, because "
    "a line may leave a factor to a later one."
)
CHAIN = (
    "Go backwards through the forward equations, one after another. Each of them is used in a later one, "
    "and a variable that is used twice gets two gradients, which add up."
)


EXERCISES = (
    Exercise(
        "batch-norm", "a mean and a variance over the batch", NORMALISATION,
        ("batch_norm", "scale_shift_backward", "batch_norm_backward", "BatchNorm.forward",
         "BatchNorm.backward"),
        (
            Equation("BN.6", "batch_norm_backward", XHAT),
            Equation(
                "BN.7", "scale_shift_backward",
                "weight and bias have one entry per channel and serve all rows of dout: sum over the axis "
                "that they do not have. This function returns the two gradients as a pair.",
            ),
            Equation("BN.8", "batch_norm_backward", VAR),
            Equation("BN.9", "batch_norm_backward", XC),
            Equation("BN.10", "batch_norm_backward", X),
        ),
        of_layer(lambda names, rng, dtype: names.BatchNorm(3, dtype=dtype), (5, 3), training=True),
        LAYERS, CHAIN, ("BatchNorm",), "", ("BN.8", "BN.9", "BN.10"),
        UNITS.format("(BN.8) to (BN.10)") + " Sums and means are over axis 0.",
    ),
    Exercise(
        "layer-norm", "a mean and a variance over the features of one example", NORMALISATION,
        ("layer_norm", "layer_norm_backward", "LayerNorm.forward", "LayerNorm.backward"),
        (
            Equation("LN.6", "layer_norm_backward", XHAT),
            Equation("LN.8", "layer_norm_backward", VAR + " Keep the axis: the result is (M, 1)."),
            Equation("LN.9", "layer_norm_backward", XC),
            Equation("LN.10", "layer_norm_backward", X),
        ),
        of_layer(lambda names, rng, dtype: names.LayerNorm(5, dtype=dtype), (3, 5)),
        LAYERS, CHAIN, ("LayerNorm",), "", ("LN.8", "LN.9", "LN.10"),
        UNITS.format("(LN.8) to (LN.10)") + "Sums and means are over axis 1, with keepdims=True. The "
        "gradients of weight and bias, (LN.7), are those of batch norm; the library's function computes "
        "them.",
    ),
    Exercise(
        "group-norm", "a mean and a variance over the pixels of a few channels",
        "scratchgen.layers.group_norm",
        ("group_norm", "group_norm_backward", "GroupNorm.forward", "GroupNorm.backward"),
        (
            Equation(
                "GN.6", "group_norm_backward",
                XHAT + "to_groups(…, groups) brings an array (N, P, C) to (N, G, M), the form of the next "
                "lines.",
            ),
            Equation(
                "GN.7", "group_norm_backward",
                "weight has one entry per channel and serves all examples and pixels, axes 0 and 1 of (N, "
                "P, C).",
            ),
            Equation("GN.8", "group_norm_backward", VAR + " Keep the axis: the result is (N, G, 1)."),
            Equation("GN.9", "group_norm_backward", XC),
            Equation("GN.10", "group_norm_backward", X + " inv is (N, G), so inv[:, :, None] fits."),
        ),
        of_layer(lambda names, rng, dtype: names.GroupNorm(2, 4, dtype=dtype), (2, 1, 3, 4)),
        "docs/diffusion.md", CHAIN, ("GroupNorm",), "", ("GN.8", "GN.9", "GN.10"),
        UNITS.format("(GN.8) to (GN.10)") + "There xhat is (N, G, M), and inv is (N, G). Sums and means are "
        "over axis 2, with keepdims=True.",
    ),
    Exercise(
        "average-pooling", "one gradient for a whole window", POOLING,
        ("avg_pool", "avg_pool_backward", "AvgPool2d.forward", "AvgPool2d.backward"),
        (
            Equation(
                "AVGP.2", "avg_pool_backward",
                "The loop is that of the forward pass: for the cell u, v of the kernel, padded[:, i, j] are "
                "the pixels that the windows read. What the forward pass reads from a pixel, the backward "
                "pass adds to it, with the same factor.",
            ),
        ),
        all_of(
            plain=of_layer(lambda names, rng, dtype: names.AvgPool2d(2), (2, 4, 4, 2)),
            overlapping=of_layer(
                lambda names, rng, dtype: names.AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0)), (2, 4, 4, 1)
            ),
        ),
        LAYERS,
        "Every pixel of a window has the same share in its mean. If windows overlap, a pixel is in several "
        "of them, so their gradients add up.",
        ("AvgPool2d",),
    ),
    Exercise(
        "max-pooling", "the gradient goes to the winner", POOLING,
        ("max_pool", "max_pool_backward", "MaxPool2d.forward", "MaxPool2d.backward"),
        (
            Equation(
                "MAXP.2", "max_pool_backward",
                "where[n, i, j, c] is the pixel that gave out[n, i, j, c]; dx has one axis for all pixels. "
                "One pixel can be the maximum of several windows, so add: np.add.at(a, indices, values) "
                "adds once for each index, also for repeated ones. np.arange(channels) is the index of the "
                "last axis.",
                left="dx[:] = ",
            ),
        ),
        all_of(
            plain=of_layer(lambda names, rng, dtype: names.MaxPool2d(2), (2, 4, 4, 2), smooth=False),
            overlapping=of_layer(
                lambda names, rng, dtype: names.MaxPool2d(2, stride=1), (2, 3, 3, 2), smooth=False
            ),
        ),
        LAYERS,
        "A small change of x changes out only where x is the largest of its window. The cache says where "
        "that was.",
        ("MaxPool2d",),
        note="dx begins as zeros, (N, H·W, C). The blank adds to it in place; it need not be an assignment.",
    ),
    Exercise(
        "convolution", "a matrix product of patches", CONV,
        ("im2col", "col2im", "conv2d", "conv2d_weight_grad", "conv2d_input_grad", "Conv2d.forward",
         "Conv2d.backward"),
        (
            Equation(
                "CONV.3", "conv2d_weight_grad",
                "As (LIN.2), with patches for rows: the sum is over all positions of the kernel, the axes "
                "(N, OH, OW) of both arrays. np.tensordot(a, b, axes=(axes of a, axes of b)) sums over "
                "pairs of axes.",
            ),
            Equation(
                "CONV.4", "Conv2d.backward",
                "The bias is added at every position of every image. affine_bias_grad sums over all axes "
                "but the last.",
                left="self.bias.grad += ",
            ),
            Equation(
                "CONV.5", "conv2d_input_grad",
                "As (LIN.4): dout (N, OH, OW, C_out) times the weight (KH, KW, C_in, C_out), summed over "
                "C_out. The result is (N, OH, OW, KH, KW, C_in).",
            ),
            Equation(
                "CONV.6", "col2im",
                "The loop is that of im2col, which copies padded[:, i, j] to cols[:, :, :, u, v]. An entry "
                "that was copied several times gets several gradients.",
            ),
        ),
        of_layer(
            lambda names, rng, dtype: names.Conv2d(
                2, 3, (3, 2), stride=(2, 1), padding=(1, 1), rng=rng, dtype=dtype
            ),
            (3, 4, 3, 2),
        ),
        LAYERS,
        "A convolution copies patches of the image into a matrix (im2col) and multiplies it by the weight. "
        "So the backward pass is that of the affine map, and then the patches are added back to the pixels "
        "(col2im).",
        ("Conv2d",),
    ),
    Exercise(
        "transposed-convolution", "patches that are added to the output", CONV,
        ("conv_transpose2d", "conv_transpose2d_weight_grad", "conv_transpose2d_input_grad",
         "ConvTranspose2d.forward", "ConvTranspose2d.backward"),
        (
            Equation(
                "CONVT.4", "conv_transpose2d_weight_grad",
                "dcols are the patches of dout, (N, H, W, KH, KW, C_out), and x is (N, H, W, C_in). Sum "
                "over the axes that they share. The result is (KH, KW, C_out, C_in).",
            ),
            Equation(
                "CONVT.6", "conv_transpose2d_input_grad",
                "The weight is (KH, KW, C_in, C_out). Every axis of it but C_in is also an axis of dcols: "
                "sum over these three pairs of axes.",
            ),
        ),
        of_layer(
            lambda names, rng, dtype: names.ConvTranspose2d(
                3, 2, (3, 2), stride=(2, 1), padding=(1, 0), rng=rng, dtype=dtype
            ),
            (4, 2, 2, 3),
        ),
        LAYERS,
        "The forward pass multiplies each pixel by the weight, which gives a patch, and adds the patches to "
        "the output. So the backward pass takes patches of dout, and the rest is a matrix product.",
        ("ConvTranspose2d",),
        note="np.tensordot(a, b, axes=(axes of a, axes of b)) sums over pairs of axes.",
    ),
)
