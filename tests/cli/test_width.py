"""Lists, tables and help texts fit into the terminal, and a narrow terminal shows everything, too."""

import argparse
from importlib import import_module

import pytest

from scratchgen import cli
from scratchgen.cli import common, demo, study

WIDTHS = (60, 80)


def has_list(module):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return "--list" in parser.format_help()


MODULES = {(name,): import_module(f"scratchgen.cli.{name}") for name in cli.COMMANDS}
MODULES |= {("study", name): import_module(f"scratchgen.cli.studies.{name}") for name in study.STUDIES}
LISTS = [(*words, "--list") for words, module in MODULES.items() if has_list(module)]
DESCRIPTIONS = [("demo", name, "--describe") for name in demo.find_demos()]


def printed(words, width, monkeypatch, capsys):
    """The output of a command in a terminal of this width."""
    monkeypatch.setenv("COLUMNS", str(width))
    try:
        assert cli.main([*words]) == 0
    except SystemExit as stop:
        assert stop.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [*LISTS, ("data",)], ids=" ".join)
def test_list_fits_into_the_terminal(words, monkeypatch, capsys):
    narrow, usual = (printed(words, width, monkeypatch, capsys) for width in WIDTHS)
    for text, width in ((narrow, 60), (usual, 80)):
        assert max(map(len, text.splitlines())) <= width
    assert narrow.split() == usual.split()


def test_every_command_with_a_list_is_tested():
    assert {words[-2] for words in LISTS} >= {"demo", "study", "train", "reproduce", "compare", "ood"}


@pytest.mark.parametrize("words", [(), *MODULES], ids=" ".join)
def test_help_fits_into_the_terminal(words, monkeypatch, capsys):
    for width in WIDTHS:
        text = printed((*words, "--help"), width, monkeypatch, capsys)
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("words", [("gradcheck",), ("gradcheck", "SiLU")], ids=" ".join)
def test_table_of_gradcheck_fits_into_the_terminal(words, monkeypatch, capsys):
    from scratchgen.models.cases import CASES

    few = [case for case in CASES if case.name.startswith(("SiLU", "Dropout"))]
    monkeypatch.setattr("scratchgen.models.cases.CASES", few)
    for width in WIDTHS:
        lines = printed(words, width, monkeypatch, capsys).splitlines()
        assert len(lines) > 2 and max(map(len, lines)) <= width


@pytest.mark.parametrize("words", DESCRIPTIONS, ids=" ".join)
def test_description_of_a_demo_fits_into_the_terminal(words, monkeypatch, capsys):
    """Formulas and tables in a description have indented lines and are not wrapped."""
    narrow, usual = (printed(words, width, monkeypatch, capsys) for width in WIDTHS)
    for text, width in ((narrow, 60), (usual, 80)):
        assert not [line for line in text.splitlines() if len(line) > width and line[0] != " "]
    assert narrow.split() == usual.split()


def test_wide_terminal_is_used_up_to_80_columns(monkeypatch):
    for given, used in ((60, 60), (200, 80)):
        monkeypatch.setenv("COLUMNS", str(given))
        assert common.columns() == used


def test_row_without_a_text_is_the_name(monkeypatch):
    assert common.row("a name", "", 20) == "a name"
