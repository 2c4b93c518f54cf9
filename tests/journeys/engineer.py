"""An engineer trains a VAE on a folder of pictures, and uses it elsewhere, all in the shell.

    python tests/journeys/engineer.py
"""

import numpy as np
from PIL import Image
from shell import Shell, run


def draw_photographs(shell: Shell) -> None:
    """Sixty small PNGs in two folders: bright squares to the left or to the right."""
    rng = np.random.default_rng(0)
    for i in range(60):
        pixels = rng.integers(0, 40, (12, 12), dtype=np.uint8)
        side = ("left", "right")[i % 2]
        start = rng.integers(0, 3) + (0 if side == "left" else 6)
        pixels[3:9, start : start + 4] += 200
        path = shell.path(f"photos/{side}/{i:02}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def journey(shell: Shell) -> None:
    draw_photographs(shell)
    look_at_the_data(shell)
    train_and_resume(shell)
    use_the_model(shell)
    take_it_elsewhere(shell)


def look_at_the_data(shell: Shell) -> None:
    found = shell("data --data photos --json").json
    assert (found["train"], found["test"], found["shape"]) == (52, 8, [12, 12, 1])
    assert found["names"] == ["left", "right"]


def train_and_resume(shell: Shell) -> None:
    """A run that a time limit ended is continued, and has the bits of a run without a break."""
    train = "train vae --data photos --set hidden=32 --set code=4 --epochs 3 --batch-size 16 --quiet"
    shell(f"{train} --budget 0.000001s --out runs/vae")
    told = shell("info runs/vae --json").json
    assert not told["finished"] and "the time limit of 1e-06 s is reached" in told["ended"]
    refused = shell(f"{train} --out runs/vae", code=2)
    assert "continue it with --resume, or replace it with --overwrite" in refused.err
    shell(f"{train} --resume --out runs/vae")
    whole = shell(f"{train} --out runs/whole --json").json
    assert whole["last_epoch"]["loss"] > 0
    last = [shell(f"info runs/{name} --json").json["history"]["loss"][-1] for name in ("vae", "whole")]
    assert last[0] == last[1]


def use_the_model(shell: Shell) -> None:
    """New pictures, log-likelihoods in a table, and codes in a file."""
    shell("sample runs/vae --n 9 --out grid.png")
    with Image.open(shell.path("grid.png")) as grid:
        assert grid.format == "PNG" and grid.width >= 3 * 12
    shell("score runs/vae photos --out scores.csv")
    table = shell.path("scores.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "log_prob,label" and len(table) == 61
    shell("encode runs/vae photos --out codes.npz")
    with np.load(shell.path("codes.npz")) as codes:
        assert max(codes.values(), key=np.ndim).shape == (60, 4)
    wrong = shell("score runs/vae photos --size 10x10", code=2)
    assert "expects images of 12 x 12 x 1, got 10 x 10 x 1; pass --size 12x12" in wrong.err


def take_it_elsewhere(shell: Shell) -> None:
    """The decoder as ONNX gives the same pictures, and the file alone gives the model back."""
    import onnxruntime

    import scratchgen

    shell("export runs/vae --part decoder --out decoder.onnx")
    model = scratchgen.load(shell.path("runs/vae/model.safetensors"))
    z = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(shell.path("decoder.onnx")))
    (pictures,) = session.run(None, {session.get_inputs()[0].name: z})
    np.testing.assert_allclose(pictures, model.inverse_transform(z), atol=1e-5)


if __name__ == "__main__":
    run(journey)
