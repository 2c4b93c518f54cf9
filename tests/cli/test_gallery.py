"""The command `gallery`: records of demos, the page that shows them, and the tour within a given time."""

import json
import re
import sys
import time
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from helpers.pages import ROOT

from scratchgen import cli
from scratchgen.cli import demo, demo_record, demo_settings, demo_tour
from scratchgen.cli.demo_record import command_of, read_record, without_paths

SCRIPT = '''"""{claim}

More of the docstring.
"""

import time
from pathlib import Path


def main(out: Path, *, shown: int = 4000, tested: int = 1000, width: int = 8, seed: int = 1):
    """Write a file instead of a figure."""
    path = out / "{name}.png"
    path.write_bytes(b"picture")
    with open(out.parent / "runs.txt", "a") as log:
        log.write(f"{name} {{shown}} {{tested}} {{width}}\\n")
    if (out.parent / "stop-at-{name}").exists():
        raise KeyboardInterrupt
    if (out.parent / "fail-at-{name}").exists():
        raise ValueError("the reason")
    print("error  0.5")
    print(f"\\nSaved {{path}}")
    return {{"error": 0.5, "long": list(range(1000)), "figure": path}}
'''
NAMES = ("latent", "compress", "exact")
TIMES = ("10 s", "20 s", "0.5 min")
SHORTEST = ("0.5 s", "1 s", "1.5 s")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three demos that usually take 10, 20 and 30 s; the current folder."""
    root = tmp_path / "demos"
    for family, name in zip(("vae", "vae", "flow"), NAMES, strict=True):
        (root / family).mkdir(parents=True, exist_ok=True)
        (root / family / "__init__.py").write_text(f'ORDER = ("{NAMES[0]}",)\n', encoding="utf-8")
        text = SCRIPT.format(name=name, claim=f"Demo <{name}> shows & tells.")
        (root / family / f"{name}.py").write_text(text, encoding="utf-8")
    (root / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(demo, "roots", lambda: (root,))
    (root / demo.TIMES).write_text(
        "".join(
            f"| [`demo {name}`](vae/{name}.py) | A claim. | {usual} | {shortest} |\n"
            for name, usual, shortest in zip(NAMES, TIMES, SHORTEST, strict=True)
        ),
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{demo.PACKAGE}.")]:
        del sys.modules[name]


def runs(folder):
    path = folder / "runs.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_a_demo_leaves_a_record_beside_its_figure(folder):
    assert cli.main(["demo", "latent", "--set", "shown=50", "--seed", "3"]) == 0
    record = read_record(folder / "gallery" / "latent.json")
    assert record.command == "scratchgen demo latent --set shown=50 --set seed=3"
    assert record.settings == {"shown": 50, "tested": 1000, "width": 8, "seed": 3} and record.seed == 3
    assert record.claim == "Demo <latent> shows & tells." and record.family == "vae"
    assert record.numbers == {"error": 0.5} and record.printed == "error  0.5"
    assert record.figures == ["latent.png"] and min(record.seconds, record.processor) >= 0
    assert set(record.versions) == {"scratchgen", "python", "numpy", "numba", "matplotlib"}
    assert record.budget is None and not record.is_usual and not record.is_short


def test_processor_time_is_that_of_all_work_of_the_process():
    start, end = demo_record.processor_time(), time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert demo_record.processor_time() - start > 0.25


def test_the_command_of_a_record_runs_the_same_settings(folder):
    words = ["demo", "latent", "--set", "width=4", "--set", "tested=20"]
    assert cli.main(words) == 0
    first = read_record(folder / "gallery" / "latent.json")
    assert cli.main(first.command.split()[1:]) == 0
    again = read_record(folder / "gallery" / "latent.json")
    assert again.settings == first.settings and again.command == first.command
    spaces = command_of("a", {"words": ("x",)}, {"words": ("b c", "d")})
    assert spaces == "scratchgen demo a --set 'words=b c,d'"


@pytest.mark.parametrize("how", ["stop", "fail"])
def test_a_run_that_does_not_finish_leaves_no_record(folder, how):
    assert cli.main(["demo", "latent"]) == 0
    (folder / f"{how}-at-latent").touch()
    assert cli.main(["demo", "latent"]) == {"stop": 130, "fail": 2}[how]
    assert not (folder / "gallery" / "latent.json").exists()


def test_json_output_is_not_changed_by_the_record(folder, capsys):
    assert cli.main(["demo", "latent", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"error": 0.5, "figure": "gallery/latent.png"}
    assert read_record(folder / "gallery" / "latent.json").printed == "error  0.5"


class Page(HTMLParser):
    """The ids, links, sources of pictures and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.texts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        if tag == "img":
            self.sources.append(values["src"])
            assert "alt" in values

    def handle_data(self, data):
        self.texts.append(data)


def test_page_shows_what_was_run_and_names_what_was_not(folder, capsys):
    assert cli.main(["demo", "latent"]) == cli.main(["demo", "exact", "--set", "shown=7"]) == 0
    assert cli.main(["gallery"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "open gallery/index.html"
    text = (folder / "gallery" / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.ids == ["latent", "exact"] and page.links == ["#latent", "#exact"]
    assert all((folder / "gallery" / unquote(source)).is_file() for source in page.sources)
    assert len(page.sources) == 4 and not re.search(r"https?://|<script|url\(", text)
    shown = "\n".join(page.texts)
    for part in ("Demo <exact> shows & tells.", "error  0.5", "demo exact --set shown=7", "numpy "):
        assert part in shown
    assert "2 of 3 demos" in shown and shown.partition("Not run yet")[2].strip().startswith("compress")


def test_gallery_without_a_record_says_what_to_run(folder, capsys):
    assert cli.main(["gallery"]) == 2
    assert "gallery has no record of a demo; run one (scratchgen demo latent)" in capsys.readouterr().err
    assert not (folder / "gallery").exists()


@pytest.mark.parametrize("text", ["{", "[1]", '{"name": "latent"}'])
def test_a_record_that_cannot_be_read_is_named(folder, capsys, text):
    (folder / "gallery").mkdir()
    (folder / "gallery" / "latent.json").write_text(text)
    assert cli.main(["gallery"]) == 2
    assert "gallery/latent.json is not the record of a demo; delete it" in capsys.readouterr().err


def test_a_record_with_a_figure_elsewhere_is_refused(folder, capsys):
    assert cli.main(["demo", "latent"]) == 0
    path = folder / "gallery" / "latent.json"
    path.write_text(path.read_text().replace('"latent.png"', '"../latent.png"'))
    assert cli.main(["gallery"]) == 2
    assert "expected figures in the same folder, got '../latent.png'" in capsys.readouterr().err


def test_tour_shortens_each_demo_and_prints_a_line_for_each(folder, capsys):
    assert cli.main(["gallery", "--budget", "12s"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed[:3]] == ["1/3 latent", "2/3 compress", "3/3 exact"]
    assert printed[3:] == ["3 of 3 demos are on the page", "open gallery/index.html"]
    (first, shown, tested, width), *others = runs(folder)
    share = (12 - 3) / (60 - 3)     # 3 s: the shortest times
    assert (first, int(shown), int(tested), width) == ("latent", round(4000 * share), 250, "8")
    assert [name for name, *_ in others] == ["compress", "exact"]
    record = read_record(folder / "gallery" / "latent.json")
    assert record.budget == 12 and record.is_short
    assert record.command == f"scratchgen demo latent --set shown={shown} --set tested=250"
    assert "its numbers need not support" in (folder / "gallery" / "index.html").read_text(encoding="utf-8")


def test_tour_with_enough_time_runs_the_usual_settings(folder):
    assert cli.main(["gallery", "compress", "--budget", "1h"]) == 0
    assert runs(folder) == [["compress", "4000", "1000", "8"]]
    record = read_record(folder / "gallery" / "compress.json")
    assert record.is_usual and not record.is_short and record.command == "scratchgen demo compress"


def test_interrupted_tour_continues_with_the_demos_that_are_missing(folder, capsys):
    (folder / "stop-at-compress").touch()
    assert cli.main(["gallery", "--budget", "12s"]) == 130
    assert "the same command continues the tour; open gallery/index.html" in capsys.readouterr().err
    assert Page((folder / "gallery" / "index.html").read_text(encoding="utf-8")).ids == ["latent"]
    (folder / "stop-at-compress").unlink()
    assert cli.main(["gallery", "--budget", "12s"]) == 0
    assert "1 of 3 demos were run before and are kept" in capsys.readouterr().out
    assert [name for name, *_ in runs(folder)] == ["latent", "compress", "compress", "exact"]
    assert cli.main(["gallery", "--budget", "12s"]) == 0        # nothing is left to do
    assert len(runs(folder)) == 4


def test_records_that_a_tour_does_not_keep(folder):
    def names_run(*words):
        before = len(runs(folder))
        assert cli.main(["gallery", *words]) == 0
        return [name for name, *_ in runs(folder)[before:]]

    assert cli.main(["demo", "latent", "--set", "shown=1"]) == cli.main(["demo", "exact"]) == 0
    assert names_run("--budget", "12s") == ["latent", "compress"]           # other settings; the usual ones
    assert names_run("--budget", "6s") == []                                # less time
    assert names_run("--budget", "24s") == ["latent", "compress"]           # more time
    script = folder / "demos" / "vae" / "compress.py"
    script.write_text(script.read_text() + "\n# more of a comment\n")
    assert names_run("--budget", "24s") == []
    script.write_text(script.read_text() + "\nCHANGED = 1\n")
    assert names_run("--budget", "24s") == ["compress"]


def test_digest_of_a_script_is_that_of_its_code_alone(tmp_path):
    def digest(text):
        (tmp_path / "a.py").write_text(text, encoding="utf-8")
        return demo_record.digest(tmp_path / "a.py")

    text = '"""A claim."""\n\nx = "# no comment"   # one\n\n\ndef main(out):\n    """Doc."""\n    return x\n'
    assert demo_record.code_of(text) == 'x = "# no comment"\ndef main(out):\n    return x'
    first = digest(text)
    same = (("# one", "# two"), ("A claim.", "Two\nlines."), ("Doc.", "Text."), ("\n\n\n", "\n\n"))
    for one, other in same:
        assert digest(text.replace(one, other)) == first
    for one, other in (("no comment", "no text"), ("return x", "return 1"), ("(out)", "(out, n=1)")):
        assert digest(text.replace(one, other)) != first


def test_tour_goes_on_after_a_demo_that_fails(folder, capsys):
    (folder / "fail-at-latent").touch()
    assert cli.main(["gallery", "--budget", "12s", "--json"]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["demos"] == ["compress", "exact"] and found["failed"] == ["latent"]
    assert "latent: failed: the reason" in said.err


def test_tour_shows_two_bars_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert cli.main(["gallery", "--budget", "12s"]) == 0
    said = capsys.readouterr()
    assert "latent  " in said.err and "all, 2 of 3 done" in said.err
    assert "1/3 latent: Demo <latent>" in said.out


def test_tour_that_takes_longer_than_its_time_says_so(folder, capsys, monkeypatch):
    clock = iter(range(0, 10_000, 10))          # each demo takes 10 s or more
    monkeypatch.setattr(demo_tour.time, "perf_counter", lambda: float(next(clock)))
    assert cli.main(["gallery", "--budget", "12s"]) == 0
    assert "longer than 12 s: each demo needs some time" in capsys.readouterr().out.replace("\n", " ")
    assert demo_tour.in_words(119) == "119 s" and demo_tour.in_words(150) == "2.5 min"


def test_open_shows_the_page(folder, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: not opened.append(address))
    assert cli.main(["demo", "latent"]) == cli.main(["gallery", "--open"]) == 0
    assert opened == [(folder / "gallery" / "index.html").as_uri()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "soon"], "expected a time such as 90s, 5m or 1h, got 'soon'"),
        (["--budget", "0s"], "expected a time such as 90s, 5m or 1h, got '0s'"),
        (["latent"], "gallery expected --budget TIME with the names of demos"),
        (["latnt", "--budget", "5m"], "unknown demo 'latnt'; did you mean 'latent'?"),
    ],
)
def test_arguments_that_are_wrong_run_nothing(folder, capsys, words, message):
    try:
        code = cli.main(["gallery", *words])
    except SystemExit as stop:
        code = stop.code
    assert code == 2 and message in capsys.readouterr().err
    assert runs(folder) == [] and not (folder / "gallery").exists()


def test_pace_divides_the_time_and_learns_from_the_demos_that_ran():
    pace = demo_tour.Pace({"a": 100.0, "b": 50.0}, {"a": 10.0, "b": 2.0})
    assert pace.seconds("a", 1) == 100 and pace.share(["a"], 100) == 1 == pace.share(["a"], 1e6)
    assert pace.seconds("a", pace.share(["a"], 30)) == pytest.approx(30)
    share = pace.share(["a", "b"], 60)
    assert pace.seconds("a", share) + pace.seconds("b", share) == pytest.approx(60)
    pace.learn("a", 1, 200)
    assert 1.9 < pace.slowness < 2.2
    assert pace.share(["b"], 50) < 0.5 and pace.share(["b"], 0) == demo_tour.SHORTEST
    assert pace.share(["b"], 1e6) == 1


def test_pace_on_a_fast_machine_keeps_the_shortest_times():
    pace = demo_tour.Pace({"a": 100.0, "b": 50.0}, {"a": 10.0, "b": 2.0})
    pace.learn("a", 0.5, 10 + 45 / 4)       # four times as fast as expected
    assert 0.2 < pace.slowness < 0.3
    assert pace.seconds("b", 0) == 2 and pace.seconds("b", 1) == pytest.approx(2 + 48 * pace.slowness)


def test_pace_of_a_demo_that_is_not_in_the_table_or_cannot_be_shortened():
    pace = demo_tour.pace_of(["latent", "my_own"])
    assert pace.seconds("my_own", 1) == 60 > pace.seconds("my_own", 0) > 0
    assert demo_tour.Pace({"a": 1.0}, {"a": 1.0}).share(["a"], 2) == 1


def test_shortened_settings():
    defaults = {"dense_shown": 1000, "samples": 100, "width": 8, "sizes": (1, 2), "fast": True, "seed": 4}
    assert demo_settings.shortened(defaults, 0.1) == {"dense_shown": 100, "samples": 25}
    assert demo_settings.shortened(defaults, 0.5) == {"dense_shown": 500, "samples": 50}
    assert demo_settings.shortened(defaults, 1) == {} and demo_settings.shortened({"epochs": 1}, 0.1) == {}


def test_every_whole_number_of_a_demo_is_known_to_the_tour():
    """A new setting has to be added to one of the lists, so that shorter runs treat it as intended."""
    for found in demo.find_demos().values():
        for name, value in demo_settings.settings_of(demo.load(found)).items():
            lists = (demo_settings.TRAINING, demo_settings.MEASURED, demo_settings.KEPT)
            if type(value) is int:
                assert sum(name.rpartition("_")[2] in kinds for kinds in lists) == 1, f"{found.name}: {name}"


def test_every_usual_time_can_be_read():
    times = demo.usual_times()
    assert set(times) == set(demo.find_demos())
    assert all(1 <= demo_tour.seconds_of(time) <= 600 for time in times.values())
    shortest = demo.shortest_times()
    assert set(shortest) == set(times)
    assert all(demo_tour.seconds_of(shortest[name]) <= demo_tour.seconds_of(times[name]) for name in times)


def test_a_tour_of_five_minutes_shortens_the_demos_but_not_to_the_shortest():
    names = list(demo.find_demos())
    assert 2 * demo_tour.SHORTEST < demo_tour.pace_of(names).share(names, 300) < 1


def test_make_demo_runs_short_demos_of_three_families_in_full():
    target = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo:")[2].partition("\n\n")[0]
    commands = re.findall(r"-m scratchgen (.*)", target)
    names = [words.removeprefix("demo ") for words in commands[:-1]]
    demos, times = demo.find_demos(), demo.usual_times()
    assert commands[-1] == "gallery" and len({demos[name].family for name in names}) == len(names) == 3
    assert sum(demo_tour.seconds_of(times[name]) for name in names) <= 75
    assert f'<img src="docs/figures/{names[0]}.png"' in (ROOT / "README.md").read_text(encoding="utf-8")


def test_printed_text_has_no_paths():
    assert without_paths("\nTable\na  1\n\nSaved /home/me/a.png\n") == "Table\na  1"

