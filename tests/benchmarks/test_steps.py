"""Steps of the benchmark: all contenders compute the same results; the limit has a step's products."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
BATCH = 8
SIDES = [("torch", "PyTorch eager"), ("jax", "JAX jit")]
PARAMETERS = [("vae", 8), ("made", 4), ("unet", 54), ("lstm", 11), ("translation", 78)]


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def gradients(contender: str, model: str, folder: Path, code: Path = BENCHMARKS) -> list[np.ndarray]:
    """Losses and gradients in float64, from a separate process, as in run.py."""
    path = folder / f"{contender}.npz"
    command = [sys.executable, str(code / "worker.py"), contender, model, str(BATCH), str(path)]
    subprocess.run(command, check=True)
    with np.load(path) as saved:
        return [saved[key] for key in saved.files]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Model -> our losses and gradients."""
    folder = tmp_path_factory.mktemp("ours")
    return {model: gradients("scratchgen", model, folder) for model, _ in PARAMETERS}


@pytest.mark.slow
@pytest.mark.parametrize(("library", "contender"), SIDES)
@pytest.mark.parametrize(("model", "parameters"), PARAMETERS)
def test_steps_of_all_contenders_compute_the_same(ours, tmp_path, library, contender, model, parameters):
    pytest.importorskip(library)
    from run import largest_difference

    found = {"scratchgen": ours[model], contender: gradients(contender, model, tmp_path)}
    assert len(found[contender]) == 1 + parameters
    assert all(array.dtype == np.float64 and np.abs(array).max() > 0 for array in found[contender])
    assert largest_difference(found) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "contender", "right", "wrong"),
    [
        (*SIDES[0], "self.weight * self.mask", "self.weight"),
        (*SIDES[1], "x * logits).sum()", "1.000001 * x * logits).sum()"),
    ],
)
def test_steps_with_a_mistake_are_found(ours, tmp_path, library, contender, right, wrong):
    """In a copy of the benchmark, PyTorch's MADE has no masks, and JAX's loss is a millionth too large."""
    pytest.importorskip(library)
    from run import largest_difference

    code = shutil.copytree(BENCHMARKS, tmp_path / "benchmarks")
    text = (code / "steps" / "made.py").read_text(encoding="utf-8")
    assert text.count(right) == 1
    (code / "steps" / "made.py").write_text(text.replace(right, wrong), encoding="utf-8")
    found = {"scratchgen": ours["made"], contender: gradients(contender, "made", tmp_path, code)}
    assert largest_difference(found) > 1e-7


def multiplications(products: list[tuple[int, ...]]) -> int:
    return sum(int(np.prod(sizes)) for sizes in products)


@pytest.mark.parametrize(
    ("name", "first"),
    [("autoencoder", 784 * 1000), ("vae", 784 * 400), ("made", 784 * 500), ("nice", 392 * 1000)],
)
@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.slow
def test_limit_of_a_dense_net_has_three_products_for_each_weight_but_the_first(name, first, n):
    """Forward, dW and dx, N·D·M multiplications each; the dx of the pixels is not needed."""
    step = import_module(f"steps.{name}")
    weights = sum(p.size for p in step.model("float32").parameters().values() if p.value.ndim == 2)
    assert multiplications(step.products(n)) == n * (3 * weights - first)


def test_limit_of_the_gan_omits_products_that_no_player_needs():
    """D's step needs only G's forward pass; G's step needs no gradient of D's weights."""
    from steps import gan

    model, n = gan.model("float32"), 7
    generator, critic = (
        sum(p.size for p in player.parameters().values() if p.value.ndim == 2)
        for player in (model.generator, model.discriminator)
    )
    turns = (generator + 2 * (3 * critic - 784 * 1200), 3 * generator - 100 * 1200 + 2 * critic)
    assert multiplications(gan.products(n)) == n * sum(turns)


def test_limit_of_the_unet_has_three_products_for_each_weight_and_pixel():
    """A weight is used once per pixel. The image and the waves of the time need no gradient."""
    from steps import unet

    def uses(name, p):
        return p.size * ({4: 49 if "middle" in name else 196, 2: 1}.get(p.value.ndim, 0))

    parameters, n = unet.model("float32").parameters(), 3
    without = uses("first", parameters["net.first.weight"]) + unet.WAVES * unet.EMBEDDING
    total = sum(uses(name, p) for name, p in parameters.items())
    assert multiplications(unet.products(n)) == n * (3 * total - without)


def test_limit_of_the_characters_has_attention_as_batches():
    """Each head has six products of T×T and its width: scores, values, and both gradients of each."""
    from steps import characters
    from steps.characters import DEPTH, HEADS, C, T, V

    n, found = 3, characters.products(3)
    parameters = characters.model("float32").parameters().values()
    embedded = (V + 1) * C + T * C
    weights = sum(p.size for p in parameters if p.value.ndim == 2) - embedded
    batches = [sizes for sizes in found if len(sizes) == 4]
    assert multiplications(batches) == DEPTH * 6 * n * HEADS * T * T * (C // HEADS)
    assert multiplications(found) - multiplications(batches) == 3 * n * T * weights
    assert len(found) < 50      # calls, whatever n is


def test_limit_of_the_translation_has_the_weights_at_the_positions_that_use_them():
    """The encoder's weights and the keys and values of the decoder are used S times, all others T times."""
    from steps import translation
    from steps.translation import DEPTH, HEADS, C, S, T

    def positions(name):
        return S if "encoder" in name or "cross.key_value" in name else T

    n, found = 3, translation.products(3)
    parameters = translation.model("float32").parameters().items()
    uses = sum(
        p.size * positions(name) for name, p in parameters
        if p.value.ndim == 2 and not name.startswith(("source_", "target_"))
    )  # fmt: skip
    batches = [sizes for sizes in found if len(sizes) == 4]
    pairs = S * S + T * T + T * S           # of positions, in the three kinds of attention
    assert multiplications(batches) == DEPTH * 6 * n * HEADS * pairs * (C // HEADS)
    assert multiplications(found) - multiplications(batches) == 3 * n * uses


def test_blocks_of_made_have_the_share_in_the_chapter():
    """The share of the full products, which PyTorch and JAX compute and which are the limit."""
    from steps import made

    from scratchgen.layers.masked import connections

    masks = made.model("float32").masks(0)
    blocks = [block for mask in masks for block in connections(mask).blocks.parts]
    left = sum((i.stop - i.start) * (j.stop - j.start) for i, j in blocks)
    share = left / sum(mask.size for mask in masks)
    chapter = " ".join((BENCHMARKS.parent / "docs" / "speed.md").read_text(encoding="utf-8").split())
    assert f"need only {share:.2f} of the multiplications" in chapter
