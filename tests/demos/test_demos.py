"""Rules that every demo follows: a claim, keyword settings, a short file, a test that runs it."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import demos
from demos import common
from scratchgen.cli.demo import find_demos, reading_order
from scratchgen.training.schedules import OneCycle

FOLDER = Path(demos.__file__).parent
FAMILIES = [path.parent.name for path in sorted(FOLDER.glob("*/__init__.py"))]
NAMES = [f"{demo.family}.{demo.name}" for demo in find_demos([FOLDER]).values()]


def source(name: str) -> str:
    return (FOLDER / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")


def test_order_lists_every_demo_once():
    found = {f"{path.parent.name}.{path.stem}" for path in FOLDER.glob("*/*.py") if path.stem != "__init__"}
    listed = [f"{family}.{name}" for family in FAMILIES for name in reading_order(FOLDER / family)]
    assert sorted(listed) == sorted(NAMES) == sorted(found)
    short = [name.partition(".")[2] for name in NAMES]
    assert len(short) == len(set(short))


@pytest.mark.parametrize("family", FAMILIES)
def test_family_has_a_docstring(family):
    assert importlib.import_module(f"demos.{family}").__doc__


@pytest.mark.parametrize("name", NAMES)
def test_demo_is_short_and_states_its_claim(name):
    text = source(name)
    assert len(text.splitlines()) <= 120
    claim, blank, *rest = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert claim.endswith(".") and len(claim) <= 56 and blank == "" and rest    # as `demo --list` shows it


@pytest.mark.parametrize("name", NAMES)
def test_demo_has_settings_with_defaults_and_ends_like_the_others(name):
    main = importlib.import_module(f"demos.{name}").main
    out, *settings = inspect.signature(main).parameters.values()
    assert out.name == "out" and settings
    for setting in settings:
        assert setting.kind is inspect.Parameter.KEYWORD_ONLY
        assert isinstance(setting.default, int | float | str | tuple)
    assert main.__doc__ and "dict" in str(main.__annotations__["return"])
    assert source(name).endswith('\n\nif __name__ == "__main__":\n    run(main)\n')


@pytest.mark.parametrize("name", NAMES)
def test_demo_is_run_by_a_test(name):
    """The fixture run_demo checks its dictionary, its picture and the width of its lines."""
    family = name.partition(".")[0]
    tests = Path(__file__).with_name(f"test_{family}.py").read_text(encoding="utf-8")
    assert re.search(rf'run_demo\(\s*"{re.escape(name)}"', tests)


def test_run_makes_the_gallery_and_calls_main_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    common.run(lambda out: calls.append((out, out.is_dir())) or {})
    assert calls == [(Path("gallery"), True)]


def test_print_table_breaks_headers_and_leaves_missing_cells_empty(capsys):
    rows = {"one": {"a": 1234, "a long header of many words": 0.5}, "another": {"a": 2, "text": "yes"}}
    common.print_table(rows, "A title", {"a long header of many words": ".1%"})
    assert capsys.readouterr().out.splitlines() == [
        "",
        "A title",
        "                a long header",
        "             a  of many words  text",
        "one      1,234          50.0%",
        "another      2                  yes",
    ]


@pytest.mark.parametrize("width", [60, 80])
def test_print_table_continues_below_where_columns_do_not_fit(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    common.print_table({"row": {f"{i} a_long_name": i for i in range(12)}})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    blocks = [line.split()[1:] for line in lines if line.startswith("row")]
    assert len(blocks) > 1 and [cell for block in blocks for cell in block] == list(map(str, range(12)))


def test_train_shows_about_as_many_examples_as_asked_for(rng):
    runs = []

    class Model:
        def fit(self, x, y, *, epochs, **settings):
            runs.append((y, epochs, settings["batch_size"], settings["lr"]))

    x = np.zeros((100, 3))
    for shown in (20, 249, 251):
        assert common.train(Model(), x, shown=shown, lr=1e-3, rng=rng, quiet=True) >= 0
    assert runs == [(None, epochs, 128, OneCycle(1e-3)) for epochs in (1, 2, 3)]


def test_mosaic_puts_digits_side_by_side():
    image = common.mosaic(np.repeat(np.arange(6.0)[:, None], 784, axis=1), 2)
    assert image.shape == (56, 84)
    assert image[0, [0, 28, 56]].tolist() == [0, 1, 2] and image[28, [0, 28, 56]].tolist() == [3, 4, 5]


def test_gallery_lists_every_demo_with_its_claim():
    page = (FOLDER.parent / "gallery" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\[`demo (\w+)`\]\(\.\./demos/(\w+)/\1\.py\) \| (.*?) \| .+? \|", page)
    claims = {name: (ast.get_docstring(ast.parse(source(name))) or "").splitlines()[0] for name in NAMES}
    assert [f"{family}.{name}" for name, family, _ in rows] == NAMES
    assert [claim.replace("\\|", "|") for *_, claim in rows] == list(claims.values())
