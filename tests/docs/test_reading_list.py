"""The files of the README's reading list have numbered derivatives, and no code that is only for speed."""

import ast
import re

import pytest
from helpers.pages import ROOT, links

README = (ROOT / "README.md").read_text(encoding="utf-8")
(LIST,) = re.findall(r"^## What to read first\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
FILES = [target for target in dict.fromkeys(links(LIST)) if target.endswith(".py")]
LAYERS = [name for name in FILES if "/models/" not in name]


def test_list_begins_with_the_chapter_and_leads_through_layers_to_models():
    assert links(LIST)[0] == "docs/backprop.md"
    assert FILES[0] == "scratchgen/layers/base.py" and len(LAYERS) >= 5
    assert [name for name in FILES if "/models/" in name] == FILES[len(LAYERS) :]


@pytest.mark.parametrize("name", LAYERS)
def test_files_of_the_list_know_nothing_of_threads_and_kernels(name):
    """They have no threads and no out=, and from the kernels only the decorator `compiled`."""
    source = (ROOT / name).read_text(encoding="utf-8")
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not {"threads", "kernels", "njit", "numba"} & names
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls for keyword in call.keywords if keyword.arg == "out"]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    kernels = [node for node in imports if "kernels" in (node.module or "")]
    assert {alias.name for node in kernels for alias in node.names} <= {"compiled"}


def test_derivatives_are_numbered_in_the_files_of_the_list():
    """They are in comments on lines of code, not only in docstrings."""
    lines = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in LAYERS)
    for number in ("LIN.2", "LIN.3", "LIN.4", "RELU.2", "SIG.2", "BN.8", "BN.10", "LN.10", "SE.2", "CE.2"):
        assert re.search(rf"^ *[^\"' #].*#.*\({number}[,)]", lines, re.MULTILINE), number
