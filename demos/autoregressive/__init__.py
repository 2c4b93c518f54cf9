"""Demos of autoregressive models: dependencies, completions and orderings of pixels."""
