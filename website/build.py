"""Build the site: python website/build.py [OUT], by default site/.

The sources are staged in build/site/source: the Markdown files of the repository at their own paths, so that
their relative links stay valid, and generated pages (the front page, the reference). Sphinx reads them with
website/conf.py. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from website import demo_pages, notebooks, run_notebooks, stage  # noqa: E402

WORK = ROOT / "build" / "site"


def live_pages(out: Path) -> list[Path]:
    """Make the live pages, one self-contained file each."""
    script = ROOT / "website" / "live.py"
    shutil.rmtree(out, ignore_errors=True)
    if not script.exists():
        return []
    out.mkdir(parents=True)
    subprocess.run([sys.executable, str(script), str(out)], check=True)
    return sorted(out.glob("*.html"))


def build(out: Path, jobs: str = "auto", with_live: bool = True, with_notebooks: bool = True) -> int:
    live = live_pages(WORK / "live") if with_live else []
    try:
        made = run_notebooks.write(WORK / "notebooks", notebooks.names()) if with_notebooks else []
    except run_notebooks.NotebookError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    stage.stage(ROOT, WORK / "source", live, made)
    if (out / ".buildinfo").exists():       # an earlier site: pages of files that are gone must not stay
        shutil.rmtree(out)
    # Chapters have links to lines of code, which move with the code, so every page is made anew (-E).
    command = [
        sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-j", jobs, "-b", "html",
        "-c", str(ROOT / "website"), "-d", str(WORK / "doctrees"), str(WORK / "source"), str(out),
    ]  # fmt: skip
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        shutil.copytree(ROOT / "results", out / "results", dirs_exist_ok=True)
        for name, content in demo_pages.files().items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(content)
        if live:
            shutil.copytree(WORK / "live", out / "live", dirs_exist_ok=True)
        for path in made:
            shutil.copy(path, out / notebooks.FOLDER / path.name)
        print(f"open {out / 'index.html'}")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "site", help="the folder of the site")
    parser.add_argument("--jobs", default="auto", help="processes of Sphinx")
    parser.add_argument("--no-live", action="store_true", help="leave the live pages out, for a quick look")
    parser.add_argument("--no-notebooks", action="store_true", help="leave the notebooks of the chapters out")
    given = parser.parse_args()
    return build(given.out.resolve(), given.jobs, not given.no_live, not given.no_notebooks)


if __name__ == "__main__":
    sys.exit(main())
