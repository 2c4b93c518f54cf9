"""How many processes run the tests: see the hook in conftest.py."""

from types import SimpleNamespace

import pytest


@pytest.mark.parametrize(
    ("arguments", "worker", "expected"),
    [
        (["tests"], "", 3),
        (["tests/test_plots.py", "tests/test_losses.py::test_a"], "", 3),
        (["tests/test_losses.py::test_a", "tests/test_losses.py::test_b"], "", 0),
        (["tests"], "gw0", 0),
    ],
)
def test_one_process_for_single_tests_and_inside_a_test(request, monkeypatch, arguments, worker, expected):
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    config = SimpleNamespace(args=arguments)
    assert request.config.hook.pytest_xdist_auto_num_workers(config=config) == expected
