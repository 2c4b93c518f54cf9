"""`study language`: the parts of the text, the mixtures, and the table."""

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.data import Alphabet, load_text
from scratchgen.data.records import read_json
from scratchgen.models import NGram, TextMixture
from scratchgen.studies import language
from scratchgen.studies.chapters import between
from scratchgen.studies.experiments.language_models import Predictions, train_within

TEXT = load_text()[:6000]
NET = {"body": "rnn", "window": 16, "features": 8, "depth": 1, "dynamic": {"lr": 1e-3}}


@pytest.fixture(scope="module")
def measured():
    """The record of two small nets that are trained in this process, and these nets."""
    nets = []

    def one_by_one(seconds, train, test, members):
        nets.extend(train_within(seconds, train, test, **member) for member in members)
        return nets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "train_together", one_by_one)
        return language.measure(TEXT, [NET | {"seed": seed} for seed in (1, 2)], 1e-6), nets


def test_parts_are_the_text_in_order():
    held_out, train, test = language.parts_of(TEXT)
    assert held_out + train + test == TEXT
    assert (len(held_out), len(test)) == (162, 600)


def test_mixtures_are_those_of_the_models(measured):
    """The record agrees with TextMixture, with weights that are fitted to the held-out text alone."""
    record, (net, _) = measured
    held_out, train, test = language.parts_of(TEXT)
    tuned = NGram.tuned(Alphabet(TEXT), train)
    mixture = TextMixture([net.model, tuned]).fit(held_out)
    own = np.stack([net.static.held_out, tuned.log_probabilities(held_out)])
    np.testing.assert_allclose(language.fit_weights(own), mixture.weights_, atol=0.05)  # averaged weights
    whole = NGram(tuned.alphabet, tuned.order, tuned.strength).fit(held_out + train)
    assert record["models"]["n-gram"]["static"] == pytest.approx(-whole.score(test), abs=1e-4)
    found = record["mixtures"]["GRU 1 + n-gram"]["static"]
    both = np.stack([net.static.test, whole.log_probabilities(test)])
    p = np.exp(both).T @ language.fit_weights(own)
    assert found["nats"] == pytest.approx(-np.log(p).mean(), abs=1e-4)
    assert found["equal"] == pytest.approx(-np.log(np.exp(both).mean(axis=0)).mean(), abs=1e-4)
    assert sum(found["weights"]) == pytest.approx(1, abs=2e-3)


def test_weights_do_not_depend_on_the_test_text():
    rng = np.random.default_rng(0)
    held_out = [np.log(rng.uniform(0.1, 1, 50)) for _ in range(2)]
    tests = [[np.log(rng.uniform(0.1, 1, 80)) for _ in range(2)] for _ in range(2)]
    first, second = (
        language.mixture([Predictions(h, t) for h, t in zip(held_out, test, strict=True)]) for test in tests
    )
    assert first["weights"] == second["weights"] and first["nats"] != second["nats"]


def test_record_has_every_model_and_mixture_and_its_table(measured, tmp_path):
    record = measured[0]
    assert list(record["models"]) == list(language.NAMES)
    assert list(record["mixtures"]) == [language.title(chosen) for chosen in language.MIXTURES]
    assert record["models"]["GRU 2"]["epochs"] == 1
    for model in record["models"].values():
        assert model["static"] != model["dynamic"]
    lines = language.table(record).splitlines()
    assert len(lines) == 2 + 3 + 3 + 2 and len({line.count("|") for line in lines[:-2]}) == 1
    chapter, results = tmp_path / "a.md", tmp_path / "a.json"
    language.write_json(results, record)
    chapter.write_text("<!-- language: none -->\n<!-- end of language -->\n", encoding="utf-8")
    language.write_chapter(results, chapter)
    assert between(chapter.read_text(encoding="utf-8"), "language") == language.table(record)


def test_command_measures_lists_and_writes(measured, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(language, "measure", lambda text: measured[0])
    assert cli.main(["study", "language", "--list"]) == 0
    assert "GRU 1 + n-gram" in capsys.readouterr().out
    assert cli.main(["study", "language"]) == 0
    assert language.table(measured[0]) in capsys.readouterr().out
    assert read_json(language.RESULTS) == measured[0]
    language.CHAPTER.parent.mkdir()
    language.CHAPTER.write_text("<!-- language: none -->\n<!-- end of language -->\n", encoding="utf-8")
    assert cli.main(["study", "language", "--write-chapter"]) == 0


def test_chapter_holds_the_table_of_the_results():
    root = language.Path(__file__).resolve().parents[2]
    chapter = (root / language.CHAPTER).read_text(encoding="utf-8")
    assert between(chapter, "language") == language.table(read_json(root / language.RESULTS))
