"""What to say to a name that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def check_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is one of `known`.

    Otherwise raises ValueError with the nearest name (where one is near; capitals don't matter) and all
    that there are:
    "unknown demo 'compres'; did you mean 'compress'? there are: compress, latent".
    """
    known = list(known)
    if name in known:
        return name
    spelling = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), spelling, n=1)
    hint = f" did you mean {spelling[near[0]]!r}?" if near else ""
    raise ValueError(f"unknown {what} {name!r};{hint} there are: {', '.join(known) or 'none'}")
