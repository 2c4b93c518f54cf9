"""Write the stub files that show the public names to type checkers and editors.

`scratchgen` and `scratchgen.models` collect their public names from other packages when they are imported,
which a type checker cannot follow. The stubs list the same names. Run `make stubs` after you add a public
name. A test fails while a stub is out of date.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "scratchgen"
NOTE = "# Written by tools/write_stubs.py (make stubs). Do not edit.\n"


def stub(package: str) -> str:
    """Return the stub of one package. It imports each public name from the module that defines it."""
    module = import_module(package)
    lines, constants = [], []
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.ismodule(value):
            lines.append(f"from {package} import {name} as {name}")
        elif hasattr(value, "__module__"):
            lines.append(f"from {value.__module__} import {name} as {name}")
        else:
            constants.append(f"{name}: {annotation(value)}")
    if hasattr(module, "__version__"):
        constants.append("__version__: str")
    return NOTE + "\n".join([*sorted(lines), "", *constants]) + "\n"


def annotation(value: object) -> str:
    """Return the type annotation of a public constant."""
    return "tuple[str, ...]" if isinstance(value, tuple) else type(value).__name__


def main() -> None:
    """Write both stubs."""
    for package in ("scratchgen", "scratchgen.models"):
        path = PACKAGE.parent / package.replace(".", "/") / "__init__.pyi"
        path.write_text(stub(package), encoding="utf-8")


if __name__ == "__main__":
    main()
