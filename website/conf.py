"""Configuration of Sphinx for the site. `make site` runs website/build.py, which calls Sphinx."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import scratchgen  # noqa: E402
from website.places import find_places  # noqa: E402

project = "scratchgen"
author = "the scratchgen authors"
copyright = author
version = release = scratchgen.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "website.extensions.api",
    "website.extensions.repository",
    "website.extensions.formulas",
    "website.extensions.literate",
    "website.extensions.prose_links",
    "website.extensions.front",
    "website.extensions.accessible",
]

# Chapters: Markdown as a code host renders it
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["dollarmath", "html_image"]
myst_dmath_allow_labels = False
myst_dmath_double_inline = True
myst_heading_anchors = 4
smartquotes = False
highlight_language = "none"
suppress_warnings = [
    "misc.highlighting_failure",    # some blocks show arrays side by side, which no lexer knows
    "ref.python",                   # scratchgen.VAE and scratchgen.sklearn.VAE have the same short name
]

# The reference
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_type_aliases = {"Array": "Array", "DTypeLike": "DTypeLike"}
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "scratchgen"
html_static_path = ["static", "vendor"]
templates_path = ["templates"]
html_math_renderer = "katex"
html_context = {"equations": find_places().chapter}       # for search.html
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_css_files = ["katex/katex.min.css", "site.css"]
html_js_files = [
    ("katex/katex.min.js", {"defer": "defer"}),
    ("formulas.js", {"defer": "defer"}),
    ("pairs.js", {"defer": "defer"}),
    ("scrolling.js", {"defer": "defer"}),
    ("local_files.js", {"priority": 300}),
]
