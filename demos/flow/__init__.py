"""Demos of normalizing flows: exact densities and exact inverses."""

ORDER = ("change_of_variables", "one_to_one", "exact_likelihood")
