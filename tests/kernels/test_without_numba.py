"""The library without Numba, as in a browser: models train, and gradients are checked."""

import os
import subprocess
import sys

import pytest

# None of these packages is needed to train a model or to check a gradient.
OPTIONAL = (
    "numba", "llvmlite", "threadpoolctl", "matplotlib", "PIL", "safetensors", "pooch", "tqdm", "fcntl"
)  # fmt: skip
BLOCK = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
TRAIN = """
import numpy as np
from scratchgen import gradcheck, kernels, layers
from scratchgen.data import two_moons
from scratchgen.models import RealNVP

net = layers.Sequential(layers.Conv2d(1, 2, 3, rng=0, dtype=np.float64), layers.Flatten())
gradcheck.assert_gradients(net, np.random.default_rng(0).normal(size=(2, 5, 5, 1)), rng=0)
model = RealNVP.dense(2, (8,), couplings=2, rng=0)
model.fit(two_moons().sample(64, rng=0).astype(np.float32), epochs=2, batch_size=32, rng=0)
print(kernels.backend(), float(model.score_samples(np.ones((1, 2), np.float32))[0]))
"""


def run(code, *, block=True, **environment):
    environment = {**os.environ, "SCRATCHGEN_KERNELS": "", "PYTHONWARNINGS": "default", **environment}
    command = [sys.executable, "-c", (BLOCK if block else "") + code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_models_train_and_gradients_are_checked_without_optional_packages():
    missing = run(TRAIN)
    assert missing.returncode == 0, missing.stderr
    assert missing.stderr.count("RuntimeWarning: Numba is not installed") == 1
    assert "Convolutions, pooling" in missing.stderr and "are slower" in missing.stderr
    chosen = run(TRAIN, SCRATCHGEN_KERNELS="reference")
    assert chosen.returncode == 0 and chosen.stderr == ""
    assert missing.stdout == chosen.stdout
    assert missing.stdout == run(TRAIN, block=False, SCRATCHGEN_KERNELS="reference").stdout


def test_compiled_kernels_without_numba_are_refused_before_any_work():
    refused = run("import scratchgen.layers", SCRATCHGEN_KERNELS="jit")
    message = "SCRATCHGEN_KERNELS=jit expected Numba to be installed; pip install numba\n"
    assert refused.stderr.endswith(message)
    code = "from scratchgen import kernels\nwith kernels.use('jit'): pass"
    refused = run(code, SCRATCHGEN_KERNELS="reference")
    assert refused.stderr.endswith('kernels.use("jit") expected Numba to be installed; pip install numba\n')


@pytest.mark.slow
def test_every_public_name_can_be_imported_without_optional_packages():
    done = run("import scratchgen\nfor name in scratchgen.__all__: getattr(scratchgen, name)",
               SCRATCHGEN_KERNELS="reference")
    assert done.returncode == 0, done.stderr
