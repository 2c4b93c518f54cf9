"""A lecturer chooses a demo, changes its settings and formats, and steps through a trace in class.

    python tests/journeys/lecturer.py
"""

import numpy as np
from PIL import Image
from shell import Shell, run


def journey(shell: Shell) -> None:
    choose_a_demo(shell)
    show_own_images(shell)
    play_an_animation(shell)
    step_through_a_training_step(shell)


def choose_a_demo(shell: Shell) -> None:
    """A short one, with other settings, as a vector graphic whose text can be searched."""
    demos = shell("demo --list --json").json
    assert demos["bayes_bridge"]["family"] == "classical" and demos["bayes_bridge"]["time"].endswith(" s")
    assert "examples = 600" in shell("demo --describe bayes_bridge").out
    found = shell("demo bayes_bridge --set examples=300 --format svg --json").json
    picture = shell.path(found["figure"]).read_text(encoding="utf-8")
    assert picture.count("<text") > 10 and ">naive Bayes</text>" in picture
    mistake = shell("demo bayes_bridge --set exampels=300", code=2)
    assert "unknown setting 'exampels'; did you mean 'examples'?" in mistake.err


def show_own_images(shell: Shell) -> None:
    """The same demo with other images of ten classes."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(1400) % 10)
    images = rng.integers(0, 60, (1400, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label + 2 : 2 * label + 6] += 150          # a bar whose place tells the class
    np.savez(shell.path("bars.npz"), images=images, labels=labels)
    told = shell("demo bayes_bridge --set examples=100 --data bars.npz --out bars")
    assert "bars.npz: 1,200 + 200 images of 28 x 28 x 1" in told.words
    names = sorted(path.name for path in shell.path("bars").iterdir())
    assert names == ["bayes_bridge.json", "bayes_bridge.png"]


def play_an_animation(shell: Shell) -> None:
    refused = shell("demo bayes_bridge --format gif", code=2)
    assert "draws no animation; --format gif is for " in refused.err and "four_panels" in refused.err
    found = shell("demo four_panels --set rounds=60 --set frames=6 --format gif --json --quiet").json
    with Image.open(shell.path(found["animation"])) as film:
        assert film.format == "GIF" and film.n_frames >= 5


def step_through_a_training_step(shell: Shell) -> None:
    """Every value of one step, with its equations, forward and then backward; and the same as a page."""
    (phase,) = shell("trace Autoencoder --json").json["phases"]
    steps = [step for step in phase["steps"] if step["layer"] == "Linear"]
    assert [step["pass"] for step in steps] == ["forward"] * 4 + ["backward"] * 4
    back = steps[-1]
    numbers = [equation["number"] for line in back["lines"] for equation in line["equations"]]
    assert {"LIN.2", "LIN.3"} <= set(numbers) and back["parameter_gradients"]
    assert all(gradient["check"]["verdict"] == "ok" for gradient in back["parameter_gradients"])
    shell("trace Autoencoder --html step.html --plot flow.svg")
    assert "LIN.2" in shell.path("step.html").read_text(encoding="utf-8")
    assert "<svg" in shell.path("flow.svg").read_text(encoding="utf-8")


if __name__ == "__main__":
    run(journey)
