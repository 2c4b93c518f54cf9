"""Memory: checkpoints with too little of it, the peak of training, and what an optimiser returns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAVE_WITH_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from scratchgen.models import MLPClassifier
from scratchgen.training import checkpoint

path, action = sys.argv[1:]
model = MLPClassifier((2000, 2000, 10), rng=0)      # 16 MB
checkpoint.save_model(path, model)
before = Path(path).read_bytes()
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (4 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    getattr(checkpoint, action)(path, model)
except MemoryError:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    sys.exit(10 if Path(path).read_bytes() == before else 11)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads Linux's /proc")
@pytest.mark.parametrize("action", ["save_model", "load_model"])
def test_too_little_memory_is_a_memory_error_and_does_not_end_the_process(tmp_path, action):
    command = [sys.executable, "-c", SAVE_WITH_LITTLE_MEMORY, str(tmp_path / "a.safetensors"), action]
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (10, "")


TRAIN_ON_60_000 = """
import json, resource, sys
import numpy as np
from scratchgen.models import NICE, GaussianDiscriminant, NearestNeighbours

rng = np.random.default_rng(0)
X, y = rng.random((60_000, 784), np.float32), rng.integers(10, size=60_000)
if sys.argv[1] == "NearestNeighbours":
    NearestNeighbours().fit(X, y).predict(X[:600])
elif sys.argv[1] == "GaussianDiscriminant":
    GaussianDiscriminant().fit(X, y).predict(X[:2000])
else:
    from scratchgen.training import TimeLimit
    NICE.dense(784, rng=0).fit(X, epochs=1, rng=0, callbacks=[TimeLimit(0.5)])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
@pytest.mark.parametrize("model", ["NearestNeighbours", "GaussianDiscriminant", "NICE"])
def test_training_on_data_of_the_size_of_mnist_needs_less_than_one_and_a_half_gigabytes(model):
    """The models that need most (results/bench.json has all), on random images: the peak of the process."""
    command = [sys.executable, "-c", TRAIN_ON_60_000, model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0.3 < json.loads(done.stdout) < 1.5, done.stdout


BUILD_DEEP = """
import json
from pathlib import Path
from scratchgen.models import Autoencoder
from scratchgen.runtime import process
from scratchgen.training.optimisers import Adam

def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024

process.keep_memory()
Adam(Autoencoder.dense((64, *[32] * 4), rng=0).parameters(), 1e-3)
before = resident("VmRSS")
model = Autoencoder.dense((784, *[512] * 16), rng=0)
optimizer = Adam(model.parameters(), 1e-3)
weights = optimizer.value.nbytes / 2**20
print(json.dumps([(resident("VmHWM") - before) / weights, (resident("VmRSS") - before) / weights]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads Linux's /proc")
def test_optimiser_returns_the_memory_that_the_weights_had_before():
    """33 MB of weights: the peak has four such buffers at most, and the moments are not written yet."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    command = [sys.executable, "-c", BUILD_DEEP]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    peak, after = json.loads(done.stdout)
    assert peak < 4.4 and after < 4.4, done.stdout
