"""Puts the demo scripts into the wheel, and resolves the links of the README for package indexes.

Everything else is in setup.cfg. The demo scripts become scratchgen/demos. In a checkout and in an editable
install the commands read demos/ itself, so nothing is copied there.

Package indexes show the README away from the repository, where its relative links lead nowhere. If the
environment variable SCRATCHGEN_URL is set to the address of the repository, such as https://host/owner/name,
the links become absolute, and the metadata gets links to the project. Otherwise links become plain text and
pictures are left out.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
BRANCH = "main"
FENCED = re.compile(r"(```.*?```)", re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:)([^)\s]+)\)")
IMAGE = re.compile(r'<img src="(?![a-z]+:)([^"]+)"([^>]*)>')


class BuildWithDemos(build_py):
    """build_py, and a copy of demos/ inside the built package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for script in sorted(Path("demos").rglob("*.py")):
                copy = Path(self.build_lib, "scratchgen", script)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(script, copy)
            # The table of the gallery has the usual time of each demo.
            shutil.copyfile("gallery/README.md", Path(self.build_lib, "scratchgen", "demos", "README.md"))


def description(readme: str, address: str) -> str:
    """The README for a package index: relative links resolved against `address`, or removed without one."""
    if address:
        link, image = rf"[\1]({address}/blob/{BRANCH}/\2)", rf'<img src="{address}/raw/{BRANCH}/\1"\2>'
    else:
        link, image = r"\1", ""
    parts = FENCED.split(readme)                                # odd parts are code
    parts[::2] = [IMAGE.sub(image, LINK.sub(link, text)) for text in parts[::2]]
    return "".join(parts)


def project_urls(address: str) -> Mapping[str, str]:
    """The links to the project in the metadata, or none if its address is not known."""
    if not address:
        return {}
    files = f"{address}/blob/{BRANCH}"
    return {
        "Source": address,
        "Documentation": f"{files}/docs/README.md",
        "Changelog": f"{files}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


ADDRESS = os.environ.get("SCRATCHGEN_URL", "").rstrip("/")

setup(
    cmdclass={"build_py": BuildWithDemos},
    long_description=description((ROOT / "README.md").read_text(encoding="utf-8"), ADDRESS),
    long_description_content_type="text/markdown",
    project_urls=project_urls(ADDRESS),
)
