"""save(half=True) rounds float32 parameters to float16, and load returns float32."""

import numpy as np
import pytest

import scratchgen
from scratchgen import Autoencoder, BatchNorm, Linear, Sequential
from scratchgen.saving.container import read_file, write_file
from scratchgen.training.model_files import load_model


def test_weights_are_rounded_and_the_file_is_half_as_large(tmp_path):
    model = Autoencoder.dense((40, 30, 5), rng=0)
    scratchgen.save(model, tmp_path / "whole.safetensors")
    scratchgen.save(model, tmp_path / "half.safetensors", half=True)
    loaded = scratchgen.load(tmp_path / "half.safetensors")
    for name, p in model.parameters().items():
        value = loaded.parameters()[name].value
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, p.value.astype(np.float16).astype(np.float32))
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    weights = 4 * sum(p.size for p in model.parameters().values())
    assert sizes[0] - sizes[1] > 0.4 * weights


def test_buffers_and_other_dtypes_are_not_rounded(tmp_path):
    layer = Sequential(Linear(3, 4, rng=0), BatchNorm(4), Linear(4, 2, rng=0, dtype=np.float32))
    layer.layers[1].running_var[...] = 1.0001
    scratchgen.save(layer, tmp_path / "a.safetensors", half=True)
    loaded = scratchgen.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.layers[1].running_var, np.float32(1.0001))
    exact = Linear(3, 4, rng=0, dtype=np.float64)
    scratchgen.save(exact, tmp_path / "b.safetensors", half=True)
    loaded = scratchgen.load(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(loaded.weight.value, exact.weight.value)


def test_numbers_that_do_not_fit_are_refused(tmp_path):
    layer = Linear(2, 2, rng=0)
    layer.weight.value[0, 0] = 7e4
    with pytest.raises(ValueError, match="below 65,504 to store in half precision, got 7e.04 in model.w"):
        scratchgen.save(layer, tmp_path / "a.safetensors", half=True)
    assert not list(tmp_path.iterdir())


def test_a_model_can_be_read_into_another(tmp_path):
    scratchgen.save(Linear(2, 3, rng=0), tmp_path / "a.safetensors", half=True)
    other = Linear(2, 3, rng=1)
    load_model(tmp_path / "a.safetensors", other)
    rounded = scratchgen.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(other.weight.value, rounded.weight.value)


def test_a_wrong_list_of_halves_is_refused(tmp_path):
    path, weight = tmp_path / "a.safetensors", np.ones(3, np.float32)
    write_file(path, {"a": weight}, {"halves": '["a"]'})
    with pytest.raises(ValueError, match="a tensor of float32 in place of float16"):
        read_file(path)
    write_file(path, {"a": weight}, {"halves": '["b"]'})
    with pytest.raises(ValueError, match="is not a complete safetensors file"):
        read_file(path)
