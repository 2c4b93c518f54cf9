"""The experiments behind the docs: reproductions, comparisons and out-of-distribution detection."""
