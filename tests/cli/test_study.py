"""The command `study`: its lists, its options and its aliases."""

import json

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.cli import study
from scratchgen.studies import classifiers
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

    def as_json(self):
        return {"seconds": self.seconds}


def example_record():
    return record.Record(
        name="a", figure="error", unit="%", paper=2.5, source="A 1999", ours=3.0, seconds=60.0, machine="m",
        recipe="r", curve=[{"epoch": 1.0, "figure": 3.0}],
    )  # fmt: skip


def told(capsys):
    """The JSON object on stdout."""
    return json.loads(capsys.readouterr().out)


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
        print("a note")
        seen.append((name, options))
        return example_record(), "results/a.json"

    monkeypatch.setattr(recipes, "reproduce", reproduce)
    assert cli.main(["study", "reproduce", "autoencoder", "--epochs", "5", "--resume"]) == 0
    assert cli.main(["reproduce", "autoencoder", "--overwrite"]) == 0
    assert seen == [
        ("autoencoder", {"epochs": 5, "resume": True, "overwrite": False, "data": ""}),
        ("autoencoder", {"epochs": None, "resume": False, "overwrite": True, "data": ""}),
    ]
    out = capsys.readouterr().out
    assert "3.00 % after 1.0 min, published: 2.50 (A 1999)\nsaved in results/a.json" in out
    assert cli.main(["reproduce", "autoencoder", "--json", "--data", "."]) == 0
    assert seen[-1][1]["data"] == "."
    found = told(capsys)        # the note is not on stdout
    assert (found["ours"], found["paper"], found["file"]) == (3.0, 2.5, "results/a.json")


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
    assert cli.main(["compare", "--json"]) == 0
    assert told(capsys) == {"seconds": 3.0, "file": "results/compare.json", "figure": "gallery/compare.png"}


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
    assert cli.main([name, "--json"]) == 0
    assert told(capsys) == {"seconds": 3.0, "file": "results/ood.json", "figure": "gallery/ood.png"}


def test_ood_unknown_model_gets_one_line(empty, capsys):
    assert cli.main(["ood", "--models", "vee"]) == 2
    assert "unknown model 'vee'; did you mean 'vae'" in capsys.readouterr().err
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("name", [None, *(name for name in study.STUDIES if name != "pictures")])
def test_lists_as_json_have_the_same_names(capsys, name):
    words = ["study", *([name] if name else []), "--list"]
    assert cli.main(words) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert cli.main([*words, "--json"]) == 0
    (found,) = told(capsys).values()
    assert len(found) == len(lines) > 2
    assert all(line.startswith(known) for line, known in zip(lines, found, strict=True))


@pytest.mark.parametrize("name", ["reproduce made", "compare", "ood", "classifiers", "gans", "pictures"])
def test_every_study_refuses_data_that_do_not_exist_before_any_work(empty, capsys, name):
    assert cli.main(["study", *name.split(), "--data", "none.npz"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "scratchgen: error: --data expected a file or a folder, but none.npz does not exist"
    ]
    assert list(empty.iterdir()) == []


@pytest.fixture
def images(empty):
    """A file with random images of ten classes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 100, (84, 28, 28), dtype=np.uint8)
    np.savez(empty / "mine.npz", images=pixels, labels=np.arange(84) % 10)
    return "mine.npz"


def test_classifiers_of_other_images(empty, images, monkeypatch, capsys):
    some = classifiers.entries()[:2]
    monkeypatch.setattr(classifiers, "entries", lambda: some)
    assert cli.main(["study", "classifiers", "--data", images, "--json"]) == 0
    found = told(capsys)
    assert found["file"] == "results/classifiers-mine.json"
    saved = json.loads((empty / found["file"]).read_text(encoding="utf-8"))
    assert saved["digits"].startswith("mine.npz: 72 + 12 images")
    assert found["classifiers"] == saved["classifiers"]
    assert [p.name for p in (empty / "results").iterdir()] == ["classifiers-mine.json"]


def test_reproduction_of_other_images_has_its_own_files_and_no_published_figure(empty, images, capsys):
    assert cli.main(["reproduce", "autoencoder", "--data", images, "--epochs", "1", "--json"]) == 0
    found = told(capsys)
    assert found["file"] == "results/autoencoder-mine-1-epochs.json" and found["paper"] is None
    assert found["figure"].endswith("on mine.npz: 72 + 12 images of 28 x 28 x 1")
    runs = [path.name for path in (empty / "runs").glob("*.safetensors")]
    assert runs == ["reproduce-autoencoder-mine.safetensors"]
    assert record.read_all(empty / "results") == []         # the tables of the docs are of MNIST
    assert cli.main(["reproduce", "autoencoder", "--data", images, "--epochs", "1"]) == 2
    assert "reproduce-autoencoder-mine.safetensors" in capsys.readouterr().err
