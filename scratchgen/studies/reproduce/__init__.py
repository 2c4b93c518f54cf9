"""Reproductions of published figures. Each run writes its result and its recipe to results/NAME.json.

    scratchgen study reproduce --list            the figures
    scratchgen study reproduce autoencoder       a whole run; Ctrl-C saves it, --resume continues it
    scratchgen study reproduce --write-chapter   write the tables of README.md and docs/results.md

A reproduction is a module of this package with a RECIPE; the cards of the families list them.
"""
