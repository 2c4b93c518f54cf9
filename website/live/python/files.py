"""The files next to the page: Pyodide, NumPy and scratchgen."""

from website.browser_python.files import files

__all__ = ["files"]
