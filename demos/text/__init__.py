"""Demos of models of text: attention against n-grams."""
