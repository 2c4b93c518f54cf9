"""Time the frames of the live page of diffusion, and its digits, in headless Chromium.

    python benchmarks/live.py
    python benchmarks/live.py --slower 4        as on a processor that is four times slower

The work of a frame is the time of its callbacks, without the drawing by the browser. Needs pytest, playwright
and Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SECONDS, REPEATS = 4, 20
STEPS, DIGITS = 20, 2       # the page computes two digits at a time

# Record the start and the work of each frame, in milliseconds.
RECORD = """
    window.frames_ = [];
    const ask = requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) => ask((now) => {
        const start = performance.now();
        try { callback(now); } finally {
            const spent = performance.now() - start, last = frames_.at(-1);
            if (last && last[0] === now) last[1] += spent; else frames_.push([now, spent]);
        }
    });
"""

# The median time of a function of the page, in milliseconds.
TIMED = """([name, inputs, repeats]) => {
    const times = Array.from({length: repeats}, () => {
        const start = performance.now();
        scratchgenCheck(name, inputs);
        return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[Math.floor(repeats / 2)];
}"""


def frames(page: Any, act: Any) -> str:
    """The intervals and the work of the frames of some seconds after an action."""
    page.evaluate("frames_.length = 0")
    act()
    page.wait_for_timeout(1000 * SECONDS)
    starts, work = np.array(page.evaluate("frames_")).T
    gaps = np.diff(starts)
    middle, late = np.percentile(work, [50, 99])
    return (
        f"{1000 / gaps.mean():5.1f} frames per second; "
        f"interval {np.percentile(gaps, 99):5.1f} ms (99 %), {gaps.max():5.1f} (max); "
        f"work {middle:5.2f} ms (median), {late:5.2f} (99 %), {work.max():5.2f} (max)"
    )


def measure(page: Any) -> None:
    """Print the frames of the moons while they are computed and played, and the times of a digit."""

    def button(name: str) -> Any:
        return page.get_by_role("button", name=name, exact=True).first

    steps, arrows = page.get_by_label("Steps").first, page.get_by_label("Score arrows")
    for name in ("Sample, deterministic", "Sample, ancestral", "Add noise"):
        print(f"moons, {name:21}", frames(page, button(name).click))
    print(f"moons, {'computed before':21}", frames(page, button("Play").click))
    arrows.uncheck()
    print(f"moons, {'without arrows':21}", frames(page, button("Play").click))
    arrows.check()
    steps.fill("200")
    print(f"moons, {'200 steps':21}", frames(page, button("Sample, deterministic").click))
    print(f"digits, {'another class':20}", frames(page, button("5").click))

    z = np.random.default_rng(0).standard_normal((DIGITS, 24)).tolist()
    settings = {"z": z, "steps": STEPS, "label": 3, "guidance": 1, "method": "heun"}
    timed = ("codes", settings), ("decode", {"z": z})
    code, picture = (page.evaluate(TIMED, [*what, REPEATS]) / DIGITS for what in timed)
    times = f"{code:.1f} ms for the code, {picture:.1f} ms for a picture"
    print(f"one digit, {STEPS} steps of Heun with guidance: {times}")


def main() -> None:
    """Build the page and measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slower", type=float, default=1, help="how many times slower the page runs")
    args = parser.parse_args()
    from tests.site.browser import WIDE, running_browser
    from website import live

    with tempfile.TemporaryDirectory() as folder, running_browser() as browser:
        path = Path(folder, "diffusion.html")
        path.write_text(live.build("diffusion"), encoding="utf-8")
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        page.add_init_script(RECORD)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": args.slower})
        page.goto(path.as_uri())
        page.wait_for_timeout(1000 * SECONDS)
        measure(page)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
