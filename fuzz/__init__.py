"""Fuzz the readers of files: python -m fuzz.run (make fuzz)."""
