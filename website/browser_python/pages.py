"""The data of the live page `python`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from website.browser_python import files

HERE = Path(__file__).resolve().parent


def data() -> dict[str, Any]:
    """The Python code of the page, the examples of the editor, and the bytes that the page loads."""
    return {
        "session": (HERE / "session.py").read_text(encoding="utf-8"),
        "examples": [example(path) for path in sorted((HERE / "examples").glob("*.py"))],
        "bytes": files.size(),
    }


def example(path: Path) -> dict[str, str]:
    """The title of an example, which is its docstring, and its code."""
    code = path.read_text(encoding="utf-8")
    title = ast.get_docstring(ast.parse(code)) or path.stem
    return {"title": title, "code": code.partition('"""\n\n')[2]}
