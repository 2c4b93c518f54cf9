"""The two sets of kernels: the same functions, the same arguments, the same numbers.

Each kernel of `activations`, `losses` and `optimisers` runs on the same arrays in both sets. The kernels of
convolution, pooling and the like take geometry too; their own tests compare them.
"""

import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import scratchgen.kernels.jit as jit
import scratchgen.kernels.reference as reference

DTYPES = [np.float32, np.float64]
SUPPORT = {"compile", "mathematics"}    # modules that only the compiled kernels need
LARGE = [s * x for x in (1e-30, 1e-3, 15.0, 88.0, 95.0, 1e4) for s in (1, -1)]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, *LARGE]


def modules(package):
    return {m.name for m in pkgutil.iter_modules(package.__path__)}


def functions(name, package):
    """The kernels of a module: its own public functions, compiled or not, as plain Python."""
    module = import_module(f"{package.__name__}.{name}")
    found = {}
    for key, value in vars(module).items():
        plain = getattr(value, "py_func", value)
        if inspect.isfunction(plain) and plain.__module__ == module.__name__ and not key.startswith("_"):
            found[key] = (value, inspect.signature(plain))
    return found


MODULES = sorted(modules(reference))
SIMPLE = ("activations", "losses", "optimisers")
KERNELS = [(module, name) for module in SIMPLE for name in sorted(functions(module, reference))]
ACTIVATIONS = [name for module, name in KERNELS if module == "activations"]


def both(module, name):
    return functions(module, reference)[name][0], functions(module, jit)[name][0]


def test_both_sets_have_the_same_modules():
    assert modules(jit) - SUPPORT == modules(reference)


@pytest.mark.parametrize("module", MODULES)
def test_both_sets_have_the_same_functions_and_signatures(module):
    """Parameters by name and order; annotations are left aside."""
    found = [
        {name: list(signature.parameters) for name, (_, signature) in functions(module, package).items()}
        for package in (reference, jit)
    ]
    assert found[0] == found[1]
    assert found[0]


def arguments(module, name, dtype, rng, n=61):
    """Arrays by parameter name, and settings in the arrays' dtype; those after the inputs get the result."""
    parameters = list(functions(module, reference)[name][1].parameters)
    if module == "losses":
        shape = (7, 9)
        labels, target = rng.integers(0, 9, 7), rng.uniform(size=shape).astype(dtype)
        first = (3 * rng.standard_normal(shape)).astype(dtype)
        return [first, labels if "labels" in parameters else target, dtype(1 / 7), np.full(shape, 7, dtype)]
    settings = {
        "slope": 0.2, "alpha": 0.7, "lr": 0.1, "momentum": 0.9, "decay": 0.99, "eps": 1e-8,
        "beta1": 0.9, "beta2": 0.999, "correction1": 0.19, "correction2": 0.002,
    }  # fmt: skip
    positive = {"v", "square"}
    found = []
    for parameter in parameters:
        values = 3 * rng.standard_normal(n)
        values = np.abs(values) if parameter in positive else values
        found.append(dtype(settings[parameter]) if parameter in settings else values.astype(dtype))
    return found


def run(kernel, given):
    """The result and all arrays afterwards; the kernel gets copies."""
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in given]
    returned = kernel(*copies)
    return [] if returned is None else [returned], [a for a in copies if isinstance(a, np.ndarray)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("module", "name"), KERNELS)
def test_both_sets_give_the_same_numbers(module, name, dtype, rng):
    given = arguments(module, name, dtype, rng)
    rtol, atol = (2e-5, 2e-6) if dtype == np.float32 else (1e-12, 1e-14)
    (returned, arrays), (returned_jit, arrays_jit) = (run(kernel, given) for kernel in both(module, name))
    np.testing.assert_allclose(returned_jit, returned, rtol=rtol, atol=atol)
    for a, b in zip(arrays_jit, arrays, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("module", "name"), KERNELS)
def test_kernel_writes_its_last_argument_and_leaves_its_inputs(module, name, rng):
    given = arguments(module, name, np.float64, rng)
    parameters = list(functions(module, reference)[name][1].parameters)
    written = {"out", "dx", "sig", "dpred", "dlogits", "value", "m", "v", "velocity", "square"}
    inputs = {"out", "sig"} if name == "silu_backward" else {"out"} if name.endswith("_backward") else set()
    for kernel in both(module, name):
        _, after = run(kernel, given)
        before = [a for a in given if isinstance(a, np.ndarray)]
        names = [p for p, a in zip(parameters, given, strict=True) if isinstance(a, np.ndarray)]
        for parameter, a, b in zip(names, before, after, strict=True):
            assert (a != b).any() == (parameter in written - inputs), parameter


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name.endswith("_forward")])
def test_both_sets_agree_on_nan_infinity_and_large_numbers(name, dtype):
    x = np.array(SPECIAL, dtype)
    settings = [dtype(0.7)] if name in ("elu_forward", "leaky_relu_forward") else []
    outputs = 2 if name == "silu_forward" else 1
    found = []
    for kernel in both("activations", name):
        results = [np.full_like(x, 7) for _ in range(outputs)]
        with np.errstate(all="ignore"):
            kernel(x, *settings, *results)
        assert np.isnan(results[-1][0])
        found.append(results[-1])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name.endswith("_backward")])
def test_both_sets_let_a_nan_from_above_through(name, dtype, rng):
    given = arguments("activations", name, dtype, rng)
    given[1] = np.abs(given[1]) + dtype(0.1)    # on the side where rectifiers let through
    given[0][::5] = np.nan
    expected = np.isnan(given[0]).tolist()
    for kernel in both("activations", name):
        assert np.isnan(run(kernel, given)[1][-1]).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sgd_step", "momentum_step", "rmsprop_step", "adam_step"])
def test_both_sets_show_a_nan_or_infinite_gradient(name, dtype, rng):
    given = arguments("optimisers", name, dtype, rng)
    given[0][3], given[0][8] = np.nan, np.inf
    for kernel in both("optimisers", name):
        with np.errstate(all="ignore"):
            value = run(kernel, given)[1][-1]
        assert np.flatnonzero(~np.isfinite(value)).tolist() == [3, 8]


def ulps(found, exact):
    """The distance in units in the last place of float32."""
    last_place = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - exact) / last_place


@pytest.fixture(scope="module")
def compiled_mathematics():
    from scratchgen.kernels.jit.compile import kernel
    from scratchgen.kernels.jit.mathematics import exp, expm1, log1p

    @kernel
    def exp_all(x, out):
        for i in range(x.size):
            out[i] = exp(x[i])

    @kernel
    def log1p_all(x, out):
        for i in range(x.size):
            out[i] = log1p(x[i])

    @kernel
    def expm1_all(x, out):
        for i in range(x.size):
            out[i] = expm1(x[i])

    return exp_all, log1p_all, expm1_all


def test_exp_of_float32_is_within_two_units_in_the_last_place(compiled_mathematics):
    x = np.linspace(-87.3, 88.37, 200_003).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[0](x, out)
    assert ulps(out, np.exp(x.astype(np.float64))).max() <= 2


def test_exp_of_float32_has_its_limits(compiled_mathematics):
    x = np.array([0, np.nan, np.inf, -np.inf, 200, -200, 88.5, -1e30], np.float32)
    out = np.empty_like(x)
    compiled_mathematics[0](x, out)
    assert out[0] == 1
    assert np.isnan(out[1])
    assert np.isposinf(out[[2, 4, 6]]).all()
    assert (out[[3, 5, 7]] <= np.finfo(np.float32).tiny * 1.001).all() and (out[[3, 5, 7]] >= 0).all()


def test_log1p_of_float32_is_within_three_units_in_the_last_place(compiled_mathematics):
    x = np.concatenate([np.linspace(1e-6, 1, 100_003), np.logspace(-30, -6, 1001)]).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[1](x, out)
    assert ulps(out, np.log1p(x.astype(np.float64))).max() <= 3


def test_expm1_of_float32_is_within_two_units_in_the_last_place(compiled_mathematics):
    near = np.logspace(-30, 0, 20_001)
    x = np.concatenate([np.linspace(-20, 88.37, 200_003), near, -near]).astype(np.float32)
    out = np.empty_like(x)
    compiled_mathematics[2](x, out)
    assert ulps(out, np.expm1(x.astype(np.float64))).max() <= 2


def test_expm1_of_float32_has_its_limits(compiled_mathematics):
    x = np.array([0, np.nan, np.inf, 200, -np.inf, -200, -1e30], np.float32)
    out = np.empty_like(x)
    compiled_mathematics[2](x, out)
    np.testing.assert_array_equal(out, [0, np.nan, np.inf, np.inf, -1, -1, -1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_elu_near_zero_keeps_its_digits_in_both_sets(dtype):
    x = -np.logspace(-20, -1, 57).astype(dtype)
    exact = 0.7 * np.expm1(x.astype(np.float64))
    for kernel in both("activations", "elu_forward"):
        out = np.empty_like(x)
        kernel(x, dtype(0.7), out)
        np.testing.assert_allclose(out, exact, rtol=4 * np.finfo(dtype).eps)


def test_mathematics_of_float64_is_that_of_the_c_library(compiled_mathematics):
    x = np.linspace(0, 1, 1001)
    for function, twin in zip(compiled_mathematics, (np.exp, np.log1p, np.expm1), strict=True):
        out = np.empty_like(x)
        function(x, out)
        np.testing.assert_allclose(out, twin(x), rtol=4e-16)
