"""The package as a whole: public names, the direction of imports, and a wheel that runs alone."""

import ast
import configparser
import email
import importlib
import importlib.util
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import scratchgen

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scratchgen"

# A module may import from its own level and from the levels above it in this list.
LEVELS = (
    (
        "runtime", "kernels", "checks", "constants", "html_table", "figure", "backward_errors", "array_hints",
        "pretrained",
    ),
    ("data", "distributions", "initializers", "layers", "losses", "module"),
    ("metrics", "saving"),
    ("training",),
    ("plots",),
    ("gradcheck", "optim", "schedules", "progress", "checkpoint"),
    ("models",),
    ("sklearn", "export"),
    ("studies", "exercises", "zoo"),
    ("trace",),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
FRAMEWORKS = {"torch", "jax", "autograd", "tensorflow", "keras", "tinygrad"}


def imports(path: Path, package: Path = PACKAGE) -> Iterator[str]:
    """All modules that a file imports, including those inside functions, as full dotted names."""
    here = (package.name, *path.relative_to(package).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (node.module,) if node.module else ()
            yield from (".".join((*base, *module, alias.name)) for alias in node.names)


def module_of(name: str) -> str | None:
    """The part of scratchgen that contains a dotted name: "layers" for scratchgen.layers.base."""
    parts = name.split(".")
    return parts[1] if parts[0] == "scratchgen" and len(parts) > 1 else None


def wrong_ways(package: Path) -> list[str]:
    """One line for each import inside the package from a level that is not allowed."""
    lines = []
    for path in sorted(package.rglob("*.py")):
        here = path.relative_to(package).parts[0].removesuffix(".py")
        if path.parent == package and here == "__init__":
            continue
        if here not in LEVEL:
            lines.append(f"{here} is missing in LEVELS of this test")
            continue
        for name in imports(path, package):
            there = module_of(name)
            if there in LEVEL and LEVEL[there] > LEVEL[here]:
                lines.append(f"{path.relative_to(package)} imports {name}")
    return lines


def test_imports_follow_the_levels():
    assert wrong_ways(PACKAGE) == []


def test_import_check_finds_each_wrong_import(tmp_path):
    package = tmp_path / "scratchgen"
    (package / "layers").mkdir(parents=True)
    (package / "layers" / "a.py").write_text("from scratchgen import kernels\nfrom .b import B\n")
    (package / "kernels.py").write_text("def f():\n    from scratchgen.layers.b import B\n")
    (package / "losses.py").write_text("from . import models\n")
    (package / "models.py").write_text("import scratchgen.studies\nfrom scratchgen import training\n")
    (package / "surprise.py").write_text("")
    assert wrong_ways(package) == [
        "kernels.py imports scratchgen.layers.b.B",
        "losses.py imports scratchgen.models",
        "models.py imports scratchgen.studies",
        "surprise is missing in LEVELS of this test",
    ]


@pytest.mark.parametrize("part", ["kernels", "layers", "models"])
def test_inner_parts_do_not_import_files_plots_or_progress_bars(part):
    outside = {"matplotlib", "PIL", "tqdm", "pooch", "safetensors"}
    for path in [*PACKAGE.glob(f"{part}.py"), *PACKAGE.glob(f"{part}/**/*.py")]:
        for name in imports(path):
            allowed = name.split(".")[0] not in outside and module_of(name) not in {"checkpoint", "progress"}
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_imports_are_declared_and_include_no_framework_and_no_pickle():
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = re.findall(r"^[\w-]+", declared["options"]["install_requires"], re.MULTILINE)
    assert "numpy" in wanted and not FRAMEWORKS.intersection(wanted)
    wanted += re.findall(r"^[\w-]+", declared["options.extras_require"]["completion"], re.MULTILINE)
    come_along = {"PIL", "mpl_toolkits", "llvmlite"}    # with Matplotlib and with Numba
    allowed = {"scratchgen", *wanted, *come_along, *sys.stdlib_module_names} - {"pickle", "shelve"}
    extras = declared["options.extras_require"]
    assert "scikit-learn" in extras["sklearn"] and "onnx" in extras["onnx"]
    for path in PACKAGE.rglob("*.py"):
        optional = {"sklearn": {"sklearn"}, "export": {"onnx"}}.get(path.parent.name, set())
        optional |= {"workers.py": {"joblib", "distributed"}, "mpi.py": {"mpi4py"}}.get(path.name, set())
        for name in imports(path):
            assert name.split(".")[0] in allowed | optional, f"{path.relative_to(ROOT)} imports {name}"


def test_no_array_is_loaded_by_pickle():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path


def test_library_prints_only_in_commands():
    for path in PACKAGE.rglob("*.py"):
        prints = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        speakers = {"cli", "studies"}
        speaks = part in speakers or path.name == "callbacks.py"
        assert speaks or not prints, f"{path.relative_to(ROOT)} prints in line {prints}"


def test_import_loads_no_heavy_packages():
    code = (
        "import sys, scratchgen\n"
        "heavy = {'numpy', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from scratchgen import Linear, kernels\n"
        "assert Linear is scratchgen.layers.Linear\n"
        "late = {'numba', 'matplotlib', 'pooch', 'tqdm'} & set(sys.modules)\n"
        "assert not late, late\n"
        "assert 'VAE' in dir(scratchgen)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", scratchgen.__all__)
def test_public_name_exists_and_is_documented(name):
    value = getattr(scratchgen, name)
    if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        assert (value.__doc__ or "").strip(), f"{name} has no docstring"


def test_public_names_are_listed_once_and_unknown_ones_raise():
    assert len(set(scratchgen.__all__)) == len(scratchgen.__all__)
    assert set(scratchgen.__all__) <= set(dir(scratchgen))
    unknown = "Liner"
    with pytest.raises(AttributeError, match="module 'scratchgen' has no attribute 'Liner'"):
        getattr(scratchgen, unknown)


@pytest.mark.parametrize("package", ["layers", "losses", "data", "training", "models"])
def test_public_names_of_packages_are_public_at_the_top(package):
    module = getattr(scratchgen, package)
    assert set(module.__all__) <= set(scratchgen.__all__)
    assert all(getattr(scratchgen, name) is getattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("family", scratchgen.models.FAMILIES)
def test_public_names_of_families_are_public_names_of_models(family):
    module = importlib.import_module(f"scratchgen.models.{family}")
    assert module.__all__ and set(module.__all__) <= set(scratchgen.models.__all__)


@pytest.mark.parametrize("package", ["scratchgen", "scratchgen.models"])
def test_stubs_show_the_public_names(package):
    stub = runpy.run_path(str(ROOT / "tools" / "write_stubs.py"))["stub"]
    path = ROOT / package.replace(".", "/") / "__init__.pyi"
    assert path.read_text(encoding="utf-8") == stub(package), "run make stubs"


def test_each_folder_with_code_is_a_package():
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert (folder / "__init__.py").is_file(), f"{folder} has no __init__.py: the wheel skips it"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build an sdist and, from it, a wheel; return the folder with both. The checkout does not change."""
    here = tmp_path_factory.mktemp("build")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs")
    shutil.copytree(ROOT, here / "source", ignore=unwanted)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", here, here / "source", cwd=here)
    return here


@pytest.mark.slow
def test_sdist_contains_documentation_and_tests(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archived = {name.partition("/")[2] for name in archive.getnames()}
    kinds = {".py", ".md", ".png", ".npz", ".txt", ".json", ".typed", ".css", ".safetensors"}
    for folder in ("scratchgen", "tests", "demos", "docs", "benchmarks", "results"):
        files = [p for p in (built / "source" / folder).rglob("*") if p.suffix in kinds]
        assert {p.relative_to(built / "source").as_posix() for p in files} <= archived
    assert {"Makefile", "README.md", "LICENSE", "setup.cfg", "pyproject.toml"} <= archived
    assert {"CHANGELOG.md", "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md"} <= archived
    assert not [name for name in archived if re.search(r"\.(pyc|nbi|nbc)$", name)]


def installed(wheel: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """Install a wheel without its dependencies; return the command and the environment to run it in."""
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(*pip, "--target", folder, wheel, cwd=folder.parent)
    return folder / "bin" / "scratchgen", {"PYTHONPATH": str(folder), "SCRATCHGEN_DATA": ""}


@pytest.mark.slow
def test_wheel_contains_only_the_package_and_the_demos(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archived = {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}
    source = built / "source"
    files = {p.relative_to(source).as_posix() for p in (source / "scratchgen").rglob("*") if p.is_file()}
    demos = {f"scratchgen/{p.relative_to(source).as_posix()}" for p in (source / "demos").rglob("*.py")}
    assert len(demos) > 20 and archived == files | demos | {"scratchgen/demos/README.md"}


@pytest.mark.slow
def test_metadata_suits_a_package_index(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown" and metadata["Author"]
    description = metadata.get_payload()
    assert isinstance(description, str) and description.startswith("# scratchgen\n")
    assert not re.search(r'\]\((?!https?:)|<img src="(?!https?:)', description)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("twine") is None, reason="twine is not installed")
def test_twine_accepts_the_sdist_and_the_wheel(built):
    archives = [*built.glob("*.tar.gz"), *built.glob("*.whl")]
    run(sys.executable, "-m", "twine", "check", "--strict", *archives, cwd=built)


@pytest.mark.slow
def test_wheel_runs_outside_the_checkout(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command, away = installed(wheel, tmp_path / "site")
    assert run(command, "--version", cwd=elsewhere, **away) == f"scratchgen {scratchgen.__version__}\n"
    code = (
        "import scratchgen; from scratchgen.data import load_digits; d = load_digits('embedded');"
        "print(scratchgen.__file__, d.x_train.shape, d.x_test.shape, sep='|')"
    )
    file, train, test = run(sys.executable, "-c", code, cwd=elsewhere, **away).strip().split("|")
    assert Path(file).is_relative_to(tmp_path / "site")
    assert (train, test) == ("(6000, 784)", "(1000, 784)")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
def test_wheel_lists_describes_and_runs_the_demos(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command, away = installed(wheel, tmp_path / "site")
    listed = run(command, "demo", "--list", cwd=elsewhere, **away)
    assert listed == run(sys.executable, "-m", "scratchgen", "demo", "--list", cwd=ROOT)
    assert "settings (--set):" in run(command, "demo", "compress", "--describe", cwd=elsewhere, **away)
    few = ("--set", "updates=20", "--set", "cells=40")
    plain = away | {"SCRATCHGEN_KERNELS": "reference"}          # compiles nothing
    run(command, "demo", "change_of_variables", *few, cwd=elsewhere, **plain)
    assert list((elsewhere / "gallery").iterdir())


@pytest.mark.slow
def test_editable_install_points_to_the_checkout_and_copies_nothing(built, tmp_path):
    code = f"from setuptools import build_meta; print(build_meta.build_editable({str(tmp_path)!r}))"
    run(sys.executable, "-c", code, cwd=built / "source")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        archived = {name: archive.read(name).decode() for name in names}
    assert not any(name.startswith("scratchgen/") for name in archived)
    assert str(built / "source" / "scratchgen") in "".join(archived.values())


def test_readme_examples_run(capsys, tmp_path, monkeypatch):
    """The Python blocks of the README run without changes, one after another."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    error, *results = capsys.readouterr().out.splitlines()
    assert float(error) < 20
    assert results and all(": ok, largest error " in line for line in results)
