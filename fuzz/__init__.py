"""Fuzz the file readers: python -m fuzz.run (make fuzz)."""
