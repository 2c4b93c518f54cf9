"""Record demos for the site: python website/record_demos.py [NAME ...] [--longest 20s].

Without names, it records the demos that have no record, or whose code or claim has changed since. Each demo
runs with its usual settings on the embedded digits. Its record and a small WebP copy of its figure go to
website/recorded. If docs/figures has the same figure, no copy is kept, and the site shows that one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scratchgen.cli.common import plain  # noqa: E402
from scratchgen.cli.demo import Demo, find_demos, load, usual_times  # noqa: E402
from scratchgen.cli.demo_record import command_of, digest, read_record, read_records, recorded  # noqa: E402
from scratchgen.cli.demo_tour import seconds_of  # noqa: E402
from scratchgen.data.digits import digits_from, load_digits  # noqa: E402
from scratchgen.data.files import write_json  # noqa: E402

RECORDED = ROOT / "website" / "recorded"
FIGURES = ROOT / "docs" / "figures"
WIDTH = 960     # pixels of a still picture


def same_picture(first: Path, second: Path) -> bool:
    """Whether two files show the same pixels."""
    if not (first.is_file() and second.is_file()):
        return False
    with Image.open(first) as a, Image.open(second) as b:
        return a.size == b.size and np.array_equal(np.asarray(a.convert("RGB")), np.asarray(b.convert("RGB")))


def record(demo: Demo, recorded_in: Path = RECORDED, figures: Path = FIGURES) -> None:
    """Run a demo and keep its record and figures."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        recorded(demo, load(demo), out, {}, command_of(demo.name, {}, {}))
        found = read_record(out / f"{demo.name}.json")
        assert found is not None
        earlier = read_record(recorded_in / f"{demo.name}.json")
        for name in earlier.figures if earlier else []:
            (recorded_in / name).unlink(missing_ok=True)
        kept = []
        for name in found.figures:
            if not same_picture(out / name, figures / name):
                name = save_small(out / name, recorded_in)
            kept.append(name)
        write_json(recorded_in / f"{demo.name}.json", plain(found._replace(figures=kept)._asdict()))


def save_small(path: Path, folder: Path) -> str:
    """Save a WebP copy of a picture or animation, at most WIDTH pixels wide, and return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}{'_animation' if path.suffix == '.gif' else ''}.webp"
    with Image.open(path) as picture:
        if getattr(picture, "is_animated", False):
            picture.save(target, save_all=True, quality=50, method=4)
        else:
            size = (WIDTH, round(picture.height * WIDTH / picture.width))
            picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target, quality=80, method=6)
    return target.name


def out_of_date(demos: Mapping[str, Demo], recorded_in: Path = RECORDED) -> list[str]:
    """The names of demos without a record of their present code and claim."""
    records = read_records(recorded_in, demos)
    return [
        name for name, demo in demos.items()
        if name not in records
        or (records[name].script, records[name].claim) != (digest(demo.path), demo.claim)
    ]  # fmt: skip


def chosen(names: Iterable[str], longest: float | None) -> list[Demo]:
    """The demos with these names, or those that are out of date; only those that take `longest` or less."""
    demos, times = find_demos(), usual_times()
    wanted = list(names) or out_of_date(demos)
    return [demos[name] for name in wanted if longest is None or seconds_of(times[name]) <= longest]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", metavar="NAME", help="demos (default: those to record again)")
    parser.add_argument(
        "--longest", type=seconds_of, metavar="TIME", help="only demos that usually take TIME or less"
    )
    given = parser.parse_args()
    os.environ["MPLBACKEND"] = "agg"
    with digits_from(load_digits("embedded")):
        for demo in chosen(given.names, given.longest):
            print(f"\n=== {demo.name}", flush=True)
            record(demo)
    return 0


if __name__ == "__main__":
    sys.exit(main())
