"""One training step of a model taken apart: what each layer and each line computed, and its gradient.

    print(model.trace(X))               the same as trace(model, X)
    trace_case("VAE")                   a small example of a model of the library
"""

from scratchgen.trace.make import trace, trace_case
from scratchgen.trace.steps import Check, Phase, Step, Trace

__all__ = ["Check", "Phase", "Step", "Trace", "trace", "trace_case"]
