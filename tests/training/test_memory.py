"""Checkpoints with too little memory raise MemoryError and do not change the file."""

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
