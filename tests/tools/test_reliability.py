"""The tables of docs/reliability.md are those of results/."""

from scratchgen.studies.chapters import fill
from tools import reliability


def test_tables_of_the_page_are_made_from_the_results():
    page = reliability.PAGE.read_text(encoding="utf-8")
    assert fill(page, reliability.tables(), reliability.COMMAND) == page


def test_page_states_no_loss_and_no_defect():
    tables = reliability.tables()
    assert tables["faults"].splitlines()[-1].split("|")[5].strip() == "**0**"
    assert all(line.split("|")[7].strip() == "0" for line in tables["fuzz"].splitlines()[2:])
