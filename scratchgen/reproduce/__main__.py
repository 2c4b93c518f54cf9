"""Write the README's table of results anew: python -m scratchgen.reproduce"""

from pathlib import Path

from scratchgen.reproduce.record import fill, read_all

readme = Path("README.md")
readme.write_text(fill(readme.read_text(encoding="utf-8"), read_all(Path("results"))), encoding="utf-8")
