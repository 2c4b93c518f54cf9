"""Puts the demo scripts into the wheel as scratchgen/demos; everything else is in setup.cfg.

In a checkout and in an editable install the commands read demos/ itself, so nothing is copied there.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


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


setup(cmdclass={"build_py": BuildWithDemos})
