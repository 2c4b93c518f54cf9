"""Training steps in PyTorch, in several variants: eager, with a fused optimiser, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ours_side import GAME_BETAS, GAME_LR, LR
from steps import Step


@dataclass(frozen=True)
class Way:
    """A variant of the step.

    fused : one kernel for the optimiser step;  compiled : torch.compile;  channels_last : NHWC
    """

    fused: bool = False
    compiled: bool = False
    channels_last: bool = False


def one_loss(net, loss: Callable[..., Any], ours, dtype: str, way: Way) -> Step:
    """The step of a network with a single loss; its initial weights are those of our model."""
    import torch

    copy_weights(net, ours, dtype)
    if way.channels_last:
        net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), LR, fused=way.fused)
    run = torch.compile(loss) if way.compiled else loss

    def step(*batch):
        optimizer.zero_grad()
        value = run(*map(torch.from_numpy, batch))
        value.backward()
        optimizer.step()
        return value.item()

    def gradients(*batch):
        optimizer.zero_grad()
        value = run(*map(torch.from_numpy, batch))
        value.backward()
        return [value.item()], gradients_of(net)

    return Step(step, gradients)


def game(net, draw: Callable[..., Any], losses: tuple, ours, dtype: str, way: Way) -> Step:
    """The step of a GAN with the networks net.generator and net.discriminator.

    draw   : draw(n, like) -> z
    losses : (the critic's, the generator's)
    """
    import torch

    copy_weights(net, ours, dtype)
    if way.channels_last:
        net.to(memory_format=torch.channels_last)
    players = (net.discriminator, net.generator)
    optimizers = [torch.optim.Adam(p.parameters(), GAME_LR, GAME_BETAS, fused=way.fused) for p in players]
    run = [torch.compile(loss) for loss in losses] if way.compiled else losses

    def turn(i, loss, *batch):
        net.discriminator.requires_grad_(i == 0)
        optimizers[i].zero_grad()
        value = loss(*batch)
        value.backward()
        return value

    def step(x):
        x = torch.from_numpy(x)
        values = []
        for i in range(2):
            values.append(turn(i, run[i], x, draw(len(x), x)))
            optimizers[i].step()
        return values[0].item(), values[1].item()

    def gradients(x, z_critic, z_generator, *u):
        x, z_critic, z_generator, *u = map(torch.from_numpy, (x, z_critic, z_generator, *u))
        values = [turn(0, run[0], x, z_critic, *u)]
        own = gradients_of(net.discriminator)
        values.append(turn(1, run[1], x, z_generator))
        return [v.item() for v in values], own + gradients_of(net.generator)

    return Step(step, gradients)


def copy_weights(net, ours, dtype: str) -> None:
    """Copy our model's weights to a PyTorch network; both list them in the same order."""
    import torch

    net.to(getattr(torch, dtype))
    with torch.no_grad():
        pairs = zip(parameters(net), ours.parameters().values(), strict=True)
        for (p, to_torch, _), own in pairs:
            p.copy_(torch.from_numpy(to_torch(own.value).copy()))


def gradients_of(net) -> list[np.ndarray]:
    """The gradients of all parameters, in our layout."""
    return [from_torch(p.grad.numpy()).copy() for p, _, from_torch in parameters(net)]


Layout = Callable[[np.ndarray], np.ndarray]


def parameters(net) -> Iterator[tuple[Any, Layout, Layout]]:
    """Each parameter with the conversion from our layout to PyTorch's, and back."""
    from torch import nn

    for module in net.modules():
        for name, p in module.named_parameters(recurse=False):
            if name in getattr(module, "layouts", {}):
                yield p, *module.layouts[name]
            elif name == "weight" and isinstance(module, nn.Linear):
                yield p, np.transpose, np.transpose
            elif name == "weight" and isinstance(module, nn.Conv2d):           # (out, in, KH, KW)
                yield p, lambda w: w.transpose(3, 2, 0, 1), lambda w: w.transpose(2, 3, 1, 0)
            elif name == "weight" and isinstance(module, nn.ConvTranspose2d):  # (in, out, KH, KW)
                yield p, lambda w: w.transpose(2, 3, 0, 1), lambda w: w.transpose(2, 3, 0, 1)
            else:
                yield p, lambda w: w, lambda w: w
