"""Demos of normalising flows: exact densities and exact inverses."""
