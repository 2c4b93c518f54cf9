"""What to do with data that are not an array of the right kind: the end of the message that refuses them."""

from __future__ import annotations

from typing import Any

import numpy as np


def array_hint(x: Any, dtype: Any = "float32") -> str:
    """How to turn x into an array of numbers, "; pass np.asarray(x, np.float32)", or "" if it is not known.

    dtype : the name of the dtype to convert to
    """
    if isinstance(x, np.ma.MaskedArray | np.matrix):
        return ""               # the description of x says it
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        return f"; pass x.astype(np.{dtype})"
    if isinstance(x, np.ndarray) and x.dtype.kind in "OSUT":
        return f"; pass x.astype(np.{dtype}) if all entries are numbers, or encode the columns of text first"
    if isinstance(x, np.ndarray):
        return ""
    if isinstance(x, list | tuple):
        return f"; pass np.asarray(x, np.{dtype})"
    if hasattr(x, "toarray"):
        return f"; pass x.toarray().astype(np.{dtype})"
    if hasattr(x, "requires_grad"):
        return f"; pass np.asarray(x.detach().cpu(), np.{dtype})"
    if hasattr(x, "columns") and hasattr(x, "__array__"):
        return f"; pass np.asarray(x, np.{dtype}), or use scratchgen.sklearn, which takes data frames"
    if hasattr(x, "__array__"):
        return f"; pass np.asarray(x, np.{dtype})"
    if isinstance(x, str) or hasattr(x, "__fspath__"):
        return "; read the file first, with load_images or load_table of scratchgen.data"
    if hasattr(x, "__next__"):
        return "; pass np.stack(list(x))"
    return ""


def text_hint(x: Any) -> str:
    """A hint on how to turn x into a string, such as "; pass text.decode()", or "" if there is none."""
    if isinstance(x, bytes | bytearray):
        return "; pass text.decode()"
    if hasattr(x, "__fspath__"):
        return '; read the file first, with path.read_text(encoding="utf-8")'
    if hasattr(x, "read"):
        return "; pass file.read()"
    if isinstance(x, list | tuple) and len(x) and all(isinstance(part, str) for part in x):
        return '; pass "".join(text)'
    if isinstance(x, np.ndarray) and x.dtype.kind in "US":
        return '; pass "".join(text.tolist())'
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        return "; pass alphabet.decode(ids)"
    if isinstance(x, list | tuple) and x and all(isinstance(part, int | np.integer) for part in x):
        return "; pass alphabet.decode(ids)"
    return ""


def sentences_hint(x: Any) -> str:
    """A hint on how to turn x into a list of strings, such as "; pass [sentence]", or "" if there is none."""
    if isinstance(x, str):
        return "; pass [sentence]"
    if isinstance(x, bytes | bytearray):
        return "; pass [sentence.decode()]"
    if hasattr(x, "__fspath__"):
        return "; read the file first, with read_pairs of scratchgen.data"
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        return "; pass [vocabulary.decode(row) for row in ids]"
    if hasattr(x, "tolist"):
        return "; pass sentences.tolist()"
    if hasattr(x, "__next__") or isinstance(x, set | frozenset):
        return "; pass list(sentences)"
    return ""


def shape_hint(X: np.ndarray, features: int | None) -> str:
    """How to turn an array of another shape into rows (N, D), or "" if it is not known."""
    size = X[0].size if X.ndim > 2 and len(X) else 0
    if size and features in (None, size):
        return "; pass X.reshape(len(X), -1)"
    if X.ndim == 1 and features in (None, X.size):
        other = " or X.reshape(-1, 1) for one feature" if features is None or features == 1 else ""
        return f"; pass X.reshape(1, -1) for one example{other}"
    return ""
