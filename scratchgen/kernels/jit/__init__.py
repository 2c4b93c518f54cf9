"""The kernels, compiled by Numba."""
