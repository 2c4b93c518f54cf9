"""Causes that show when forward or backward is called again: randomness, a changed dout, the mode."""

from __future__ import annotations

import numpy as np

from scratchgen.gradcheck.evidence import Evidence, Found


def random_forward(e: Evidence) -> Found | None:
    """Two calls of forward(x) give different outputs, although buffers and generators were restored."""
    if e.trial is None or np.array_equal(e.trial.out(), e.trial.out(), equal_nan=True):
        return None
    return Found(
        "random forward",
        "Two calls of forward with the same input give different outputs, so there is no derivative to "
        "compare with. Keep the random generator as an attribute (self.rng) and draw from it: the check then "
        "restores it before each call.",
    )


def random_backward(e: Evidence) -> Found | None:
    """Two calls of backward(dout, cache) give different gradients."""
    if e.trial is None:
        return None
    again = e.trial.claimed(e.what, e.trial.u)
    if again is None or e.predicts(again):
        return None
    return Found(
        "random backward",
        "Two calls of backward with the same dout give different gradients. Draw random numbers in forward "
        "and pass them on in the cache.",
    )


def not_linear(e: Evidence) -> Found | None:
    """backward(dout + v) is not backward(dout) + backward(v)."""
    if e.trial is None:
        return None
    u = e.trial.u
    v = np.random.default_rng(0).standard_normal(u.shape)
    parts, both = [e.trial.claimed(e.what, d) for d in (u, v)], e.trial.claimed(e.what, u + v)
    if both is None or parts[0] is None or parts[1] is None:
        return None
    if np.abs(both - parts[0] - parts[1]).max(initial=0.0) <= max(e.tolerance, 1e-9 * e.scale):
        return None
    return Found(
        "not linear",
        "Backward is not linear in dout: the gradient for dout + v is not the sum of those for dout and for "
        "v. Every gradient is dout times something that depends on x alone. Is dout clipped, squared or "
        "compared with 0, or is something added to it?",
    )


def changed_dout(e: Evidence) -> Found | None:
    """claimed = Jᵀ·dout′, where dout′ is what backward makes of dout in place."""
    if e.trial is None:
        return None
    after, jacobian = e.trial.dout_after_backward(), e.trial.jacobian(e.what)
    if jacobian is None or np.array_equal(after, e.trial.u):
        return None
    if not e.predicts((after.reshape(-1) @ jacobian).reshape(e.claimed.shape)):
        return None
    return Found(
        "dout changed",
        "Backward changes dout in place before it computes this gradient: the claimed numbers are the "
        "gradient for the changed dout. Work on a copy.",
    )


def other_mode(e: Evidence) -> Found | None:
    """claimed = J′ᵀ·dout, where J′ is the Jacobian of forward in the other mode."""
    if e.trial is None:
        return None
    mode = not e.trial.training
    jacobian = e.trial.jacobian(e.what, mode)
    if jacobian is None or not e.predicts((e.trial.u.reshape(-1) @ jacobian).reshape(e.claimed.shape)):
        return None
    return Found(
        "mode",
        f"This is the gradient of forward with training={mode}, but forward ran with training={not mode}: "
        "backward ignores what forward does in this mode only, such as a dropout mask or batch statistics.",
    )


def overwritten(e: Evidence) -> Found | None:
    """p.grad after backward does not depend on p.grad before: grad = a, where grad += a is needed."""
    if e.trial is None or e.what == "input" or not e.claimed.any():
        return None
    before = np.random.default_rng(0).standard_normal(e.claimed.shape)
    if not e.predicts(e.trial.gradient_after(e.what, before)):
        return None
    return Found(
        "overwritten",
        f"Backward assigns {e.what}.grad and does not add to it. A gradient of an earlier use is lost, also "
        "within one layer that uses the parameter twice. Write += for =.",
    )
