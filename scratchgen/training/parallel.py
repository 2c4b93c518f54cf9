"""What the training loop does in a data-parallel run, see scratchgen/runtime/ranks.py.

Before the first step, all ranks must have the same weights, data and random generators. The first step is
also made by rank 0 alone, on a copy of the model and the whole batch, and both gradients are compared. So a
loss that is not a mean over the examples, or a layer that mixes examples, ends the run with an error instead
of training another model than one process would.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from scratchgen.runtime.ranks import ONE, PartOfGenerator, Ranks, one_step

CLOSE = {np.dtype(np.float32): 3e-3, np.dtype(np.float64): 1e-6}    # the relative difference of two gradients


@contextmanager
def divided(trainer: Any, ranks: Ranks) -> Iterator[np.random.Generator]:
    """A context manager: inside the block, the generators of a run give each rank the numbers of its part.

    Yields the generator of the training steps. Raises ValueError on all ranks if they do not start equal.
    """
    if ranks.size == 1:
        yield trainer.rng
        return
    _expect_equal_ranks(trainer, ranks)
    generators = [
        (module, name, generator)
        for module in trainer.model.modules()
        for name, generator in vars(module).items()
        if isinstance(generator, np.random.Generator)
    ]
    every = [trainer.rng, *(generator for _, _, generator in generators)]
    parts = {id(g): PartOfGenerator(g.bit_generator) for g in every}    # modules may share a generator
    for module, name, generator in generators:
        setattr(module, name, parts[id(generator)])
    try:
        yield parts[id(trainer.rng)]
    finally:
        for module, name, generator in generators:
            setattr(module, name, generator)


def optimizers_of(trainer: Any) -> dict[str, Any]:
    """The optimisers of a run by name."""
    several = isinstance(trainer.optimizer, Mapping)
    return dict(trainer.optimizer) if several else {"": trainer.optimizer}


def copy_first(trainer: Any, ranks: Ranks) -> None:
    """Give all ranks the weights of rank 0. Different processors may round an update differently."""
    if ranks.size > 1:
        for optimizer in optimizers_of(trainer).values():
            ranks.copy_first(optimizer.value)


def step_of_one_process(trainer: Any, batch: tuple) -> tuple[Any, Any]:
    """(model, optimisers) after a step on the whole batch, of copies. The run itself does not change."""
    model, optimizer, rng = copy.deepcopy((trainer.model, trainer.optimizer, trainer.rng))
    with one_step(ONE):
        model.train_step(batch, optimizer, rng)
    return model, optimizer


def expect_same_step(trainer: Any, alone: tuple[Any, Any] | None, ranks: Ranks) -> None:
    """Compare the first step of the ranks with that of one process, which rank 0 has made.

    Raises ValueError on all ranks if a gradient or a buffer differs by more than rounding.
    """
    own = {f"the gradient of {n or 'the batch'}": o.grad for n, o in optimizers_of(trainer).items()}
    own |= {f"the buffer {name}": buffer for name, buffer in trainer.model.buffers().items()}
    wrong = -1
    if alone is not None:
        model, optimizer = alone
        optimizers = optimizer.values() if isinstance(optimizer, Mapping) else [optimizer]
        others = [*(o.grad for o in optimizers), *model.buffers().values()]
        pairs = enumerate(zip(own.values(), others, strict=True))
        wrong = next((i for i, (mine, other) in pairs if _differ(mine, other)), -1)
    wrong = int(ranks.first(wrong))
    if wrong >= 0:
        who = type(trainer.model).__name__
        raise ValueError(
            f"{who} cannot be trained on {ranks.size} ranks: {[*own][wrong]} is not that of one process; its "
            "loss must be a mean over the examples of the batch, and no layer but BatchNorm may mix examples"
        )


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    if b.dtype not in CLOSE:
        return not np.array_equal(a, b)
    difference = np.linalg.norm((a - b).ravel().astype(np.float64))
    return bool(difference > CLOSE[b.dtype] * np.linalg.norm(b.ravel().astype(np.float64)))


def _expect_equal_ranks(trainer: Any, ranks: Ranks) -> None:
    weights = 0
    for optimizer in optimizers_of(trainer).values():
        weights = zlib.crc32(optimizer.value.data, weights)
    batches = trainer.batches
    data = zlib.crc32(str(getattr(batches, "_fingerprint", "")).encode())
    generators = [trainer.rng, *trainer.model.generators().values()]
    states = [g.bit_generator.state for g in generators] + [getattr(batches, "state", dict)()]
    found = {
        "weights": weights,
        "data": data,
        "random generators": zlib.crc32(repr(states).encode()),
        "length": trainer.epochs * len(batches),
        "progress": trainer.step,
    }
    of_all = ranks.gather(np.array([*found.values()], np.float64))
    for rank, values in enumerate(of_all):
        different = [name for name, a, b in zip(found, of_all[0], values, strict=True) if a != b]
        if different:
            raise ValueError(
                f"expected all ranks to start with the same model and data, but rank {rank} has other "
                f"{' and '.join(different)} than rank 0; give all ranks the same files, settings and seeds"
            )
