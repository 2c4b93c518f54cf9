"""Group norm, upsampling, the time embedding, residual blocks and the U-Net, beside their gradient checks."""

import numpy as np
import pytest

from scratchgen.layers import (
    AvgPool2d,
    GroupNorm,
    LayerNorm,
    PixelAttention,
    ResidualBlock,
    ResidualNet,
    SelfAttention,
    TimeEmbedding,
    UNet,
    Upsample,
)


def test_group_norm_of_one_group_is_layer_norm_of_the_whole_image(rng, backend):
    """(GN.1, GN.2, GN.3, GN.4, GN.5, GN.6, GN.8, GN.9, GN.10) with G = 1 are those of layer norm.

    The weights and biases of layer norm are those of the channels, so (GN.7) adds up its gradients.
    """
    x, dout = rng.standard_normal((2, 3, 4, 5, 6))
    ours, theirs = GroupNorm(1, 6, dtype=np.float64), LayerNorm(120, dtype=np.float64)
    out, cache = ours.forward(x)
    flat, flat_cache = theirs.forward(x.reshape(3, -1))
    np.testing.assert_allclose(out.reshape(3, -1), flat, atol=1e-12)
    dx = ours.backward(dout, cache)
    dflat = theirs.backward(dout.reshape(3, -1), flat_cache)
    np.testing.assert_allclose(dx.reshape(3, -1), dflat, atol=1e-12)
    for name, p in ours.parameters().items():
        wanted = theirs.parameters()[name].grad.reshape(-1, 6).sum(axis=0)
        np.testing.assert_allclose(p.grad, wanted, atol=1e-12)


def test_group_norm_gives_each_group_of_each_image_mean_0_and_variance_1(rng, backend):
    x = 3 + 5 * rng.standard_normal((4, 3, 2, 6))
    out, _ = GroupNorm(3, 6, eps=1e-30, dtype=np.float64).forward(x)            # (GN.4)
    grouped = out.reshape(4, -1, 3, 2)
    np.testing.assert_allclose(grouped.mean(axis=(1, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(grouped.var(axis=(1, 3)), 1, rtol=1e-12)
    alone, _ = GroupNorm(3, 6, eps=1e-30, dtype=np.float64).forward(x[1:2])
    np.testing.assert_allclose(alone[0], out[1], rtol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 997.9, 9694.6, 1e6, 3e30])
def test_group_norm_of_a_constant_image_is_the_bias(constant, backend):
    layer = GroupNorm(2, 4)
    layer.bias.value[...] = [1, 2, 3, 4]
    out, _ = layer.forward(np.full((2, 7, 5, 4), constant, np.float32))
    np.testing.assert_array_equal(out, np.broadcast_to(layer.bias.value, out.shape))


def test_upsample_repeats_pixels_and_its_backward_adds_squares(rng):
    """(UP.1) and (UP.2): average pooling undoes it, and backward is s² times average pooling."""
    x, dout = rng.standard_normal((2, 3, 2, 4)), rng.standard_normal((2, 9, 6, 4))
    layer, pool = Upsample(3), AvgPool2d(3)
    out, cache = layer.forward(x)
    assert out[1, 7, 4, 2] == x[1, 2, 1, 2]
    np.testing.assert_allclose(pool.forward(out)[0], x, rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dout, cache), 9 * pool.forward(dout)[0], rtol=1e-12)


def test_time_embedding_separates_times_at_every_scale():
    """(TIME.1), (TIME.2): frequencies from 1,000 to 0.1, and no two times have nearly the same sines."""
    t = np.linspace(0, 1, 1001)[:301]
    out, _ = TimeEmbedding(64).forward(t)
    np.testing.assert_allclose(out[:, 0], np.sin(1000 * t), atol=1e-12)
    np.testing.assert_allclose(out[:, 31], np.sin(0.1 * t), atol=1e-12)
    np.testing.assert_allclose(out[:, :32] ** 2 + out[:, 32:] ** 2, 1, rtol=1e-12)
    distance = np.linalg.norm(out[:, None] - out[None], axis=2) + 10 * np.eye(len(t))
    assert distance.min() > 0.9


def test_gradient_of_a_time_is_the_derivative_of_its_sines(rng):
    """(TIME.3), against differences in t."""
    layer, t, dout = TimeEmbedding(8), rng.random(5), rng.standard_normal((5, 8))
    _, cache = layer.forward(t)
    ends = [(layer.forward(t + step)[0] * dout).sum(axis=1) for step in (1e-7, -1e-7)]
    np.testing.assert_allclose(layer.backward(dout, cache), (ends[0] - ends[1]) / 2e-7, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("features", [0, 2, 5, 7.0, True, "8"])
def test_time_embedding_refuses_other_numbers_of_features(features):
    with pytest.raises((TypeError, ValueError), match="^TimeEmbedding expected .*features"):
        TimeEmbedding(features)


def test_self_attention_follows_a_permutation_of_the_positions(rng, backend):
    """Without the mask (ATT.4), the positions have no order."""
    layer = SelfAttention(6, 2, rng=0, dtype=np.float64)
    x, order = rng.standard_normal((2, 5, 6)), rng.permutation(5)
    out, cache = layer.forward(x)
    np.testing.assert_allclose(layer.forward(x[:, order])[0], out[:, order], atol=1e-12)
    np.testing.assert_allclose(cache.p.sum(axis=3), 1, rtol=1e-12)
    assert (cache.p > 0).all()


def test_residual_block_starts_as_its_skip_and_the_time_moves_all_pixels_alike(rng):
    """(RES.1, RES.2, RES.3, RES.4, RES.5, RES.6): before training, out = x; e shifts all pixels by W·e."""
    block = ResidualBlock.image(4, 4, 3, groups=2, rng=0, dtype=np.float64)
    x, e = rng.standard_normal((2, 3, 3, 4)), rng.standard_normal((2, 3))
    out, _ = block.forward(x, e)
    np.testing.assert_array_equal(out, x)
    seen = []
    block.second.forward = lambda h, training=False: (seen.append(h), (h, None))[1]
    block.forward(x, e)
    block.forward(x, e + 1)
    shift = seen[1] - seen[0]
    np.testing.assert_allclose(shift, np.broadcast_to(block.shift.weight.value.sum(axis=0), shift.shape))


def test_pixel_attention_adds_what_each_pixel_sees(rng):
    """(PATT.1, PATT.2): the pixels are the positions, and backward adds both paths."""
    layer, x = PixelAttention(4, 2, rng=0, dtype=np.float64), rng.standard_normal((2, 3, 2, 4))
    out, cache = layer.forward(x)
    normed, _ = layer.norm.forward(x)
    seen, _ = layer.attention.forward(normed.reshape(2, 6, 4))
    np.testing.assert_allclose(out - x, seen.reshape(x.shape), atol=1e-12)
    dout = rng.standard_normal(x.shape)
    dx = layer.backward(dout, cache)
    layer.attention.proj.weight.value[...] = 0                  # without the second path
    np.testing.assert_array_equal(layer.backward(dout, layer.forward(x)[1]), dout)
    assert not np.allclose(dx, dout)


def net(kind, dtype=np.float64, classes=0):
    if kind == "ResidualNet":
        return ResidualNet(6, 8, 2, classes=classes, embedding=5, rng=0, dtype=dtype), (6,)
    form = {"channels": (4, 8), "groups": 2, "embedding": 5, "attention": True, "classes": classes}
    return UNet((8, 12, 2), rng=0, dtype=dtype, **form), (8, 12, 2)


@pytest.mark.parametrize("kind", ["ResidualNet", "UNet"])
def test_network_starts_at_zero_and_depends_on_time_and_class_after_training(kind, rng):
    """The gradient check finds a mistake in each equation; here is what depends on what.

    (UNET.1, UNET.2, UNET.3, UNET.4, UNET.5, UNET.6, UNET.7), (RESNET.1, RESNET.2), (COND.1, COND.2).
    """
    model, shape = net(kind, classes=3)
    x, t, y = rng.standard_normal((4, *shape)), np.full(4, 0.3), np.array([0, 1, 2, 3])
    out, _ = model.forward(x, t, y)
    assert out.shape == x.shape and not out.any()
    for p in model.parameters().values():
        p.value += 0.2 * rng.standard_normal(p.shape)
    out, cache = model.forward(x, t, y)
    assert not np.allclose(out, model.forward(x, t + 0.001, y)[0])
    assert not np.allclose(out[0], model.forward(x, t, y[::-1].copy())[0][0])
    np.testing.assert_array_equal(out[3], model.forward(x, t)[0][3])        # label 3 means "no class"
    flat = model.forward(x.reshape(4, -1), t, y)[0]
    np.testing.assert_array_equal(flat.reshape(out.shape), out)
    model.backward(np.ones_like(out), cache)
    table = model.condition.label.weight
    assert table.grad.any(axis=1).all()
    with model.frozen():
        before = {name: p.grad.copy() for name, p in model.parameters().items()}
        assert model.backward(np.ones_like(out), cache).shape == x.shape
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.grad, before[name])


@pytest.mark.parametrize("kind", ["ResidualNet", "UNet"])
def test_network_refuses_wrong_times_and_labels(kind, rng):
    model, shape = net(kind)
    x = rng.standard_normal((4, *shape))
    with pytest.raises(ValueError, match=f"^{kind} expected 4 times, one per example"):
        model.forward(x, np.zeros(3))
    for wrong in (0.5, np.zeros(4, np.float32), [0.0] * 4, np.ma.masked_array(np.zeros(4)), np.zeros(4, int)):
        with pytest.raises(TypeError, match=f"^{kind} expected times t of dtype float64, as x has, got"):
            model.forward(x, wrong)
    with pytest.raises(ValueError, match=f"^{kind} expected no labels y"):
        model.forward(x, np.zeros(4), np.zeros(4, int))
    model, _ = net(kind, classes=3)
    with pytest.raises(ValueError, match="label"):
        model.forward(x, np.zeros(4), np.full(4, 4))


def test_unet_refuses_sizes_that_it_cannot_halve():
    with pytest.raises(ValueError, match="divisible by 4"):
        UNet((28, 30, 1), (8, 8, 8), rng=0)
    with pytest.raises(ValueError, match="divisible by 4"):
        UNet((30, 28, 1), (8, 8), squeeze=True, rng=0)
    with pytest.raises(ValueError, match="multiples of groups"):
        UNet((28, 28, 1), (12, 24), rng=0)


def test_residual_block_refuses_embeddings_that_do_not_fit(rng):
    block = ResidualBlock.dense(4, 3, rng=0, dtype=np.float64)
    x, e = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    for wrong in (e[:4], e[:, :2], e[0], e[None]):
        with pytest.raises(ValueError, match=r"^ResidualBlock expected e of shape \(5, 3\), a row"):
            block.forward(x, wrong)
    masked, matrix = np.ma.masked_array(e), e.view(np.matrix)
    for wrong in (None, e.tolist(), e.astype(np.float32), e.astype(int), masked, matrix):
        with pytest.raises(TypeError, match="^ResidualBlock expected e of dtype float64, as x has, got"):
            block.forward(x, wrong)


@pytest.mark.parametrize("wrong", [(4, 4, 2), (3, 33), (3, 4, 2, 4), (3, 8)])
def test_unet_refuses_images_of_another_shape(wrong):
    """Also those with the same number of pixels, which would be reshaped."""
    model = UNet((4, 4, 2), (4,), groups=2, rng=0)
    with pytest.raises(ValueError, match=r"^UNet expected x of shape \(N, 4, 4, 2\) or \(N, 32\), got"):
        model.forward(np.zeros(wrong, np.float32), np.zeros(wrong[0], np.float32))
