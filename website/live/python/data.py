"""The data of the page: its Python code, and the examples of the editor."""

from website.browser_python.pages import data

__all__ = ["data"]
