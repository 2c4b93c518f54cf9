"""Demos of speed: what limits a matrix product."""

ORDER = ("gemm",)
