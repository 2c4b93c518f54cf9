"""The command `study`: its lists, its options and its aliases."""

import pytest

from scratchgen import cli
from scratchgen.cli import study
from scratchgen.studies.compare import study as comparison
from scratchgen.studies.ood import study as ood
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.detectors import detectors
from scratchgen.studies.reproduce import recipe as recipes
from scratchgen.studies.reproduce import record


class Table:
    """A result with one table."""

    seconds = 3.0

    def __init__(self, table):
        self.tables = lambda: table


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def first_words(capsys):
    lines = capsys.readouterr().out.splitlines()
    return [line.split()[0] for line in lines if not line.startswith(" ")]


def test_list_names_every_study(capsys):
    assert cli.main(["study", "--list"]) == 0
    assert first_words(capsys) == list(study.STUDIES)


@pytest.mark.parametrize("words", [["study", "reproduce", "--list"], ["reproduce", "--list"]])
def test_reproduce_list_names_every_recipe(capsys, words):
    assert cli.main(words) == 0
    assert first_words(capsys) == list(recipes.recipe_names())


def test_ood_list_names_every_model(capsys):
    assert cli.main(["ood", "--list"]) == 0
    assert first_words(capsys) == list(detectors())


@pytest.mark.parametrize("name", ["compare", "classifiers"])
def test_other_studies_list_what_they_measure(capsys, name):
    assert cli.main(["study", name, "--list"]) == 0
    assert len(first_words(capsys)) >= 7


@pytest.mark.parametrize("name", study.STUDIES)
def test_every_study_has_a_help(capsys, name):
    with pytest.raises(SystemExit) as stop:
        cli.main(["study", name, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: scratchgen study {name}")


def test_reproduce_passes_its_options_on(empty, monkeypatch, capsys):
    seen = []

    def reproduce(name, **options):
        seen.append((name, options))
        return type("Record", (), {"summary": lambda self: "3.00"})(), "results/a.json"

    monkeypatch.setattr(recipes, "reproduce", reproduce)
    assert cli.main(["study", "reproduce", "autoencoder", "--epochs", "5", "--resume"]) == 0
    assert cli.main(["reproduce", "autoencoder", "--overwrite"]) == 0
    assert seen == [
        ("autoencoder", {"epochs": 5, "resume": True, "overwrite": False}),
        ("autoencoder", {"epochs": None, "resume": False, "overwrite": True}),
    ]
    assert "3.00\nsaved in results/a.json" in capsys.readouterr().out


def test_reproduce_unknown_name_gets_one_line(empty, capsys):
    assert cli.main(["reproduce", "nice", "autoencodr"]) == 2
    assert "did you mean 'autoencoder'?" in capsys.readouterr().err
    assert list(empty.iterdir()) == []


def test_write_chapter_of_reproduce_writes_both_tables(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(record, "write_tables", lambda: written.append(1))
    assert cli.main(["study", "reproduce", "--write-chapter"]) == 0
    assert written == [1] and "README.md and docs/results.md" in capsys.readouterr().out


def test_compare_passes_its_options_on_and_prints_what_was_saved(empty, monkeypatch, capsys):
    seen = []

    def compare(seconds, full, results, pictures, data, epochs, workers):
        seen.append((seconds, full, str(results), str(pictures)))
        assert data == "" and epochs is None and workers.in_this_process
        return Table({"one": "| a |"})

    monkeypatch.setattr(comparison, "compare", compare)
    assert cli.main(["compare"]) == 0
    assert cli.main(["study", "compare", "--full", "--seconds", "2.5"]) == 0
    assert seen == [(60.0, False, "results", "gallery"), (2.5, True, "results", "gallery")]
    out = capsys.readouterr().out
    assert "| a |" in out and "saved in results/compare-full-2.5-seconds.json" in out


@pytest.mark.parametrize("taken", ["results", "gallery"])
@pytest.mark.parametrize("name", ["compare", "ood"])
def test_study_with_a_file_in_the_way_does_not_start(empty, capsys, name, taken):
    (empty / taken).write_text("")
    assert cli.main(["study", name]) == 2
    assert f"cannot write into {taken}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["anomaly", "ood"])
def test_ood_passes_its_options_on(empty, monkeypatch, capsys, name):
    seen = []
    monkeypatch.setattr(ood, "detect", lambda plan, *places: seen.append(plan) or Table("| b |"))
    words = f"{name} --protocol only --models made vae --digits 1 7 --seeds 3 --full"
    assert cli.main(words.split()) == 0 and cli.main([name]) == 0
    assert seen == [Plan(("only",), ("made", "vae"), (1, 7), 3, full=True), Plan()]
    out = capsys.readouterr().out
    assert "| b |" in out and "saved in results/ood-full-part.json" in out and "3 seconds" in out


def test_ood_unknown_model_gets_one_line(empty, capsys):
    assert cli.main(["ood", "--models", "vee"]) == 2
    assert "unknown model 'vee'; did you mean 'vae'" in capsys.readouterr().err
    assert list(empty.iterdir()) == []
