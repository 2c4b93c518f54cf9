"""Group norm, upsampling, the time embedding, residual blocks and the U-Net, beside their gradient checks."""

import numpy as np
import pytest

from scratchgen.layers import (
    AvgPool2d,
    GroupNorm,
    LayerNorm,
    ResidualBlock,
    ResidualNet,
    SelfAttention,
    TimeEmbedding,
    UNet,
    Upsample,
)


def test_group_norm_of_one_group_is_layer_norm_of_the_whole_image(rng, backend):
    """(GN.1) to (GN.10) with G = 1 are (LN.1) to (LN.10) over all pixels and channels."""
    x, dout = rng.standard_normal((2, 3, 4, 5, 6))
    ours, theirs = GroupNorm(1, 6, dtype=np.float64), LayerNorm(120, dtype=np.float64)
    out, cache = ours.forward(x)
    flat, flat_cache = theirs.forward(x.reshape(3, -1))
    np.testing.assert_allclose(out.reshape(3, -1), flat, atol=1e-12)
    dx = ours.backward(dout, cache)
    dflat = theirs.backward(dout.reshape(3, -1), flat_cache)
    np.testing.assert_allclose(dx.reshape(3, -1), dflat, atol=1e-12)


def test_group_norm_gives_each_group_of_each_image_mean_0_and_variance_1(rng, backend):
    x = 3 + 5 * rng.standard_normal((4, 3, 2, 6))
    out, _ = GroupNorm(3, 6, eps=0.0, dtype=np.float64).forward(x)              # (GN.4)
    grouped = out.reshape(4, -1, 3, 2)
    np.testing.assert_allclose(grouped.mean(axis=(1, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(grouped.var(axis=(1, 3)), 1, rtol=1e-12)
    alone, _ = GroupNorm(3, 6, eps=0.0, dtype=np.float64).forward(x[1:2])
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
    t = np.linspace(0, 1, 1001)
    out, _ = TimeEmbedding(64).forward(t)
    np.testing.assert_allclose(out[:, 0], np.sin(1000 * t), atol=1e-12)
    np.testing.assert_allclose(out[:, 31], np.sin(0.1 * t), atol=1e-12)
    np.testing.assert_allclose(out[:, :32] ** 2 + out[:, 32:] ** 2, 1, rtol=1e-12)
    distance = np.linalg.norm(out[:, None] - out[None], axis=2) + 10 * np.eye(len(t))
    assert distance.min() > 0.9


@pytest.mark.parametrize("features", [0, 2, 5, 7.0, True, "8"])
def test_time_embedding_refuses_other_numbers_of_features(features):
    with pytest.raises(ValueError, match="^TimeEmbedding expected an even number of features"):
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
    """(RES.1) to (RES.6): before training, out = x; dout reaches de as the sum over pixels."""
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


def net(kind, dtype=np.float64, classes=0):
    if kind == "ResidualNet":
        return ResidualNet(6, 8, 2, classes=classes, embedding=5, rng=0, dtype=dtype), (6,)
    form = {"channels": (4, 8), "groups": 2, "embedding": 5, "attention": True, "classes": classes}
    return UNet((8, 12, 2), rng=0, dtype=dtype, **form), (8, 12, 2)


@pytest.mark.parametrize("kind", ["ResidualNet", "UNet"])
def test_network_starts_at_zero_and_depends_on_time_and_class_after_training(kind, rng):
    """(UNET.1) to (UNET.7), (RESNET.1), (RESNET.2), (COND.1), (COND.2)."""
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
    with pytest.raises(ValueError, match=f"^{kind} expected 4 times, one per example"):
        model.forward(x, 0.5)
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
    with pytest.raises(ValueError, match="multiple of groups"):
        UNet((28, 28, 1), (12, 24), rng=0)
