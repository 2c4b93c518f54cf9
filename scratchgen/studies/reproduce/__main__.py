"""Write the README's table of results anew: python -m scratchgen.studies.reproduce"""

from pathlib import Path

from scratchgen.studies.reproduce.record import fill, read_all

readme = Path("README.md")
readme.write_text(fill(readme.read_text(encoding="utf-8"), read_all(Path("results"))), encoding="utf-8")
