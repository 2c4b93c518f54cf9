"""The process that the library runs in: its threads and its settings."""
