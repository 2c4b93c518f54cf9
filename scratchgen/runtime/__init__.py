"""Threads and process settings."""
