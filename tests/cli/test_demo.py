"""The command `demo`: scripts in folders by family, their order, their description and their settings."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchgen import cli
from scratchgen.cli import demo, demo_settings

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = '''"""{title}

More of the docstring, in a paragraph
of two lines.
"""

from pathlib import Path

from ..common import write


def main(out: Path, *, epochs: int = 3, rate: float = 1e-3, widths=(2, 10), word="a", fast=False):
    """Settings are written down.

    epochs : of training
    """
    write(out / "{name}.txt", repr((epochs, rate, widths, word, fast)))
    return {{"epochs": epochs, "file": out / "{name}.txt"}}
'''


@pytest.fixture
def demos(tmp_path, monkeypatch):
    """A folder of three demos in two families, used in place of the real one."""
    root = tmp_path / "site" / "demos"
    for family, name in (("vae", "latent"), ("flow", "exact"), ("vae", "compress")):
        (root / family).mkdir(parents=True, exist_ok=True)
        title = f"The {name} demo."
        (root / family / f"{name}.py").write_text(SCRIPT.format(name=name, title=title), encoding="utf-8")
        order = {"vae": 'ORDER = ("latent", "gone", "compress")\n'}.get(family, "")
        (root / family / "__init__.py").write_text(order, encoding="utf-8")
    (root / "__init__.py").write_text("", encoding="utf-8")
    (root / "common.py").write_text("def write(path, text):\n    path.write_text(text)\n", encoding="utf-8")
    monkeypatch.setattr(demo, "roots", lambda: (tmp_path / "nowhere", root))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{demo.PACKAGE}.")]:
        del sys.modules[name]


def test_demos_are_found_in_reading_order(demos):
    assert list(demo.find_demos()) == ["latent", "compress", "exact"]
    assert [found.family for found in demo.find_demos().values()] == ["vae", "vae", "flow"]


def test_demo_that_is_not_in_the_order_comes_after_its_family(demos):
    (demos / "site" / "demos" / "vae" / "another.py").write_text('"""Another."""', encoding="utf-8")
    assert list(demo.find_demos()) == ["latent", "compress", "another", "exact"]


def test_demo_list_has_a_row_each_under_its_family(demos, capsys):
    long = demos / "site" / "demos" / "flow" / "exact.py"
    title = "An exact likelihood, in a sentence that does not fit into the eighty columns of a line."
    long.write_text(f'"""{title}"""', encoding="utf-8")
    assert cli.main(["demo", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["vae:", "  latent    The latent demo.", "  compress  The compress demo."]
    assert lines[3:5] == ["", "flow:"]
    assert lines[5].startswith("  exact     An exact likelihood") and lines[5].endswith(" eighty")
    assert lines[6:] == ["            columns of a line."]


def test_demo_runs_main_with_the_folder(demos):
    assert cli.main(["demo", "latent"]) == 0
    assert (demos / "gallery" / "latent.txt").read_text() == "(3, 0.001, (2, 10), 'a', False)"
    assert cli.main(["demo", "compress", "--out", "a/b"]) == 0
    assert (demos / "a" / "b" / "compress.txt").is_file()


def test_demo_settings_have_the_types_of_their_defaults(demos):
    words = ("epochs=5", "rate=1", "widths=4,5", "word=7", "fast=True")
    assert cli.main(["demo", "latent", *(part for word in words for part in ("--set", word))]) == 0
    assert (demos / "gallery" / "latent.txt").read_text() == "(5, 1.0, (4, 5), '7', True)"
    assert cli.main(["demo", "latent", "--set", "widths=6"]) == 0
    assert "(6,)" in (demos / "gallery" / "latent.txt").read_text()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("epochs", "--set expected KEY=VALUE, got 'epochs'"),
        ("epoch=3", "unknown setting 'epoch'; did you mean 'epochs'?"),
        ("epochs=many", "epochs expected a value like 3, got 'many'"),
        ("epochs=1.5", "epochs expected a value like 3, got '1.5'"),
        ("rate=True", "rate expected a value like 0.001, got 'True'"),
        ("widths=a,b", "widths expected a value like (2, 10), got 'a,b'"),
        ("fast=1", "fast expected a value like False, got '1'"),
        ("epochs=0", "epochs expected a whole number of at least 1, got '0'"),
        ("epochs=-5", "epochs expected a whole number of at least 1, got '-5'"),
    ],
)
def test_demo_settings_that_are_wrong_are_refused_before_anything_runs(demos, capsys, word, message):
    assert cli.main(["demo", "latent", "--set", word]) == 2
    assert message in capsys.readouterr().err
    assert not (demos / "gallery").exists()


@pytest.mark.parametrize(("key", "default", "least"), [("seed", 1, 0), ("characters", 0, 0), ("shown", 9, 1)])
def test_whole_numbers_of_a_demo_have_a_least_value(key, default, least):
    assert demo_settings.parse_value(key, str(least), default) == least
    with pytest.raises(ValueError, match=f"{key} expected a whole number of at least {least}, got "):
        demo_settings.parse_value(key, str(least - 1), default)


def test_demo_describe_shows_the_docstring_and_the_settings(demos, capsys):
    assert cli.main(["demo", "latent", "--describe"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("The latent demo.\n\nMore of the docstring, in a paragraph of two lines.\n")
    assert "epochs : of training" in out
    assert "epochs = 3\nrate   = 0.001\nwidths = (2, 10)\nword   = 'a'\nfast   = False\n" in out
    assert not (demos / "gallery").exists()


def test_demo_unknown_writes_nothing(demos, capsys):
    assert cli.main(["demo", "compres"]) == 2
    assert "unknown demo 'compres'; did you mean 'compress'?" in capsys.readouterr().err
    assert not (demos / "gallery").exists()


def test_demo_without_scripts_names_the_folders(demos, monkeypatch, capsys):
    monkeypatch.setattr(demo, "roots", lambda: (demos / "nowhere", demos / "elsewhere"))
    assert cli.main(["demo", "compress"]) == 2
    assert f"no demos found in {demos / 'nowhere'} or {demos / 'elsewhere'}" in capsys.readouterr().err


def test_demo_with_a_file_in_the_way_does_not_start(demos, capsys):
    (demos / "taken").write_text("")
    assert cli.main(["demo", "compress", "--out", "taken/deeper/gallery"]) == 2
    assert "cannot write into taken/deeper/gallery" in capsys.readouterr().err


def test_installed_demos_come_before_those_next_to_the_package():
    inside, beside = demo.roots()
    assert inside == ROOT / "scratchgen" / "demos" and beside == ROOT / "demos"


def test_every_demo_of_the_checkout_is_listed_in_one_line_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = demo.listing(demo.find_demos())
    assert len([line for line in lines if line.startswith("  ")]) == len(demo.find_demos()) > 20
    assert max(len(part) for line in lines for part in line.splitlines()) <= 80
    assert not [line for line in lines if "\n" in line.strip()]


def test_usual_times_are_those_of_the_gallery(capsys):
    times = demo.usual_times()
    assert set(times) == set(demo.find_demos())
    assert all(time.endswith(("s", "min")) for time in times.values())
    assert cli.main(["demo", "--list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  compress "))
    assert times["compress"] in line
    assert cli.main(["demo", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compress"]["time"] == times["compress"]


@pytest.mark.slow
def test_demo_runs_on_other_images_in_another_format(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("a.npz", x=rng.integers(0, 200, (280, 14, 14), dtype=np.uint8), y=np.arange(280) % 10)
    words = ["demo", "latent", "--set", "shown=300", "--seed", "2", "--data", "a.npz", "--quiet"]
    assert cli.main(words) == 2
    assert "got 14 x 14 x 1; resize them with size=(28, 28) or --size 28x28" in capsys.readouterr().err
    assert cli.main([*words, "--size", "28x28", "--format", "svg", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figure"] == "gallery/latent.svg" and "<svg" in Path(found["figure"]).read_text("utf-8")
    assert 0 <= found["table"]["PCA"]["10 nearest right"] <= 0.5      # noise
    assert sorted(path.name for path in Path("gallery").iterdir()) == ["latent.json", "latent.svg"]
    record = json.loads(Path("gallery/latent.json").read_text("utf-8"))
    assert record["command"] == (
        "scratchgen demo latent --set shown=300 --set seed=2 --data a.npz --size 28x28 --format svg"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["latent", "--format", "gif"], "latent draws no animation; --format gif is for latent_grid, four"),
        (["four_panels", "--data", "a.npz"], "--data expected a demo that uses digits; four_panels does not"),
        (["latent", "--data", "a.npz"], "expect ten classes, 0 to 9, for training and for testing, got 3"),
        (["latent", "--size", "28x28"], "--size expected --data PATH as well, got none"),
    ],
)
def test_options_of_demos_that_do_not_fit(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x=np.zeros((30, 28, 28)), y=np.arange(30) % 3)
    assert cli.main(["demo", *words]) == 2
    assert message in capsys.readouterr().err and not Path("gallery").exists()


def frames_of(path):
    with Image.open(path) as film:
        assert film.format == "GIF" and film.info["loop"] == 0
        return [np.asarray(film.convert("L"), float) for k in range(film.n_frames) if film.seek(k) is None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("noise_to_moons", "points=200 epochs=1"),
        ("straight_paths", "points=200 epochs=1 samples=100"),
        ("langevin_and_score", "points=200 epochs=1 samples=50"),
        ("latent_grid", "shown=600 pairs=2"),
        ("noise_and_back", "shown=600 measured=2 pairs=2"),
    ],
)
def test_demo_draws_its_animation(tmp_path, monkeypatch, capsys, name, settings):
    """With --format gif, there is only the animation, and its frames differ."""
    monkeypatch.chdir(tmp_path)
    words = [word for setting in settings.split() for word in ("--set", setting)]
    assert cli.main(["demo", name, *words, "--format", "gif", "--quiet"]) == 0
    assert capsys.readouterr().out.endswith(f"Saved gallery/{name}.gif\n")
    assert sorted(path.name for path in Path("gallery").iterdir()) == [f"{name}.gif", f"{name}.json"]
    frames = frames_of(f"gallery/{name}.gif")
    assert len(frames) >= 20
    assert len({frame.tobytes() for frame in frames}) > 10
    assert all(0.002 < (frame < 250).mean() < 0.97 for frame in frames)


def test_demos_with_an_animation_are_those_that_return_one():
    animated = {name for name, found in demo.find_demos().items() if found.is_animated}
    assert {"four_panels", "noise_to_moons", "latent_grid"} <= animated and "latent" not in animated
