"""Every equation number is in a chapter, at a line of code and in a test.

A chapter has the number as a tag of a formula. The code has it in brackets in a comment, at the line that
computes the equation. A docstring does not count, and a line in kernels/ is not enough. A test has it in
brackets in its body, docstring or decorators, or in the comment right above it. One pair of brackets may
contain several numbers, with commas.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBER = r"[A-Z][A-Z0-9]{1,5}\.[1-9][0-9]*"
IN_BRACKETS = re.compile(rf"\({NUMBER}(?:, ?{NUMBER})*\)")
TAG = re.compile(rf"\\tag\{{({NUMBER})\}}")
MATHEMATICS = re.compile(r"\$\$.*?\$\$|```math.*?```", re.DOTALL)


def in_brackets(text: str) -> list[str]:
    return [number for group in IN_BRACKETS.findall(text) for number in re.findall(NUMBER, group)]


def comments(source: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)


def texts_of_tests(source: str) -> Iterator[str]:
    """Each test function with its decorators and the comment lines right above it."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            while first > 0 and lines[first - 1].lstrip().startswith("#"):
                first -= 1
            yield "\n".join(lines[first : node.end_lineno])


def collect(root: Path) -> dict[str, dict[str, list[str]]]:
    """number -> {"chapter": files, "code": files, "test": files}, with one entry for each occurrence."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"chapter": [], "code": [], "test": []})

    def note(kind: str, path: Path, numbers: list[str]) -> None:
        for number in numbers:
            places[number][kind].append(path.relative_to(root).as_posix())

    for path in sorted((root / "docs").rglob("*.md")):
        if path.name.startswith("add-a-"):      # its numbers belong to an example that the reader adds
            continue
        for block in MATHEMATICS.findall(path.read_text(encoding="utf-8")):
            note("chapter", path, TAG.findall(block))
    for path in sorted((root / "scratchgen").rglob("*.py")):
        note("code", path, sorted(set(in_brackets(comments(path.read_text(encoding="utf-8"))))))
    for path in sorted((root / "tests").rglob("test_*.py")):
        if path.name != Path(__file__).name:
            texts = texts_of_tests(path.read_text(encoding="utf-8"))
            note("test", path, sorted({number for text in texts for number in in_brackets(text)}))
    return places


def complaints(root: Path) -> list[str]:
    """One line for each number that is missing in one of the places or tagged twice."""
    lines = []
    for number, seen in sorted(collect(root).items()):
        missing = [kind for kind, files in seen.items() if not files]
        if missing:
            where = ", ".join(sorted({file for files in seen.values() for file in files}))
            lines.append(f"({number}) is in no {' and in no '.join(missing)}; seen in {where}")
        if len(seen["chapter"]) > 1:
            lines.append(f"({number}) is tagged {len(seen['chapter'])} times: {', '.join(seen['chapter'])}")
    return lines


def test_equations_are_in_chapter_code_and_test():
    found = complaints(ROOT)
    assert not found, "\n" + "\n".join(found)


def only_in_kernels(root: Path) -> list[str]:
    """Equation numbers that are at a line of code only in kernels/."""
    return [
        number
        for number, seen in sorted(collect(root).items())
        if seen["code"] and all(file.startswith("scratchgen/kernels/") for file in seen["code"])
    ]


def test_equations_have_their_line_of_code_outside_kernels():
    """Each equation is at a line of code of the file that defines the layer, loss or optimiser."""
    assert only_in_kernels(ROOT) == []


def test_collector_finds_an_equation_that_is_only_in_kernels(tmp_path):
    root = write_project(tmp_path, CHAPTER, CODE, TEST)
    assert only_in_kernels(root) == []
    twin = root / "scratchgen" / "kernels" / "a.py"
    twin.parent.mkdir()
    twin.write_text(CODE, encoding="utf-8")
    assert only_in_kernels(root) == []
    (root / "scratchgen" / "sub" / "a.py").write_text(CODE.replace("# (ZZ.2)", ""), encoding="utf-8")
    assert only_in_kernels(root) == ["ZZ.2"]


def test_equations_of_a_layer_loss_or_optimiser_are_in_the_file_that_lists_them():
    """Each number in the docstring of a class or function is also at a line of code of the same file."""
    files = [*(ROOT / "scratchgen" / "layers").glob("*.py")]
    others = ("losses.py", "distributions.py", "training/optimisers.py")
    files += [ROOT / "scratchgen" / name for name in others]
    for path in files:
        source = path.read_text(encoding="utf-8")
        listed = set(re.findall(rf"^ +\(({NUMBER})\)  ", source, re.MULTILINE))
        assert listed <= set(in_brackets(comments(source))), path.name


def write_project(root: Path, chapter: str, code: str, test: str) -> Path:
    for name, text in (("docs/a.md", chapter), ("scratchgen/sub/a.py", code), ("tests/sub/test_a.py", test)):
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return root


CHAPTER = r"$$ a = b \tag{ZZ.1} $$" + "\n" + r"$$" + "\n" + r"c = d \tag{ZZ.2}" + "\n$$\n"
CODE = '"""(ZZ.1)  a = b"""\na = b    # (ZZ.1)\nc = d    # (ZZ.2)\n'
TEST = '# (ZZ.1)\ndef test_a():\n    """Checks (ZZ.2)."""\n'


def test_collector_accepts_a_complete_project(tmp_path):
    assert complaints(write_project(tmp_path, CHAPTER, CODE, TEST)) == []


def test_collector_reads_numbers_that_share_brackets(tmp_path):
    test = "@decorated  # (ZZ.1, ZZ.2)\ndef test_a():\n    pass\n"
    assert complaints(write_project(tmp_path, CHAPTER, CODE, test)) == []


@pytest.mark.parametrize(
    ("kind", "chapter", "code", "test"),
    [
        ("chapter", CHAPTER.replace("ZZ.2", "ZZ.1x"), CODE, TEST),
        ("chapter", CHAPTER.replace(r"\tag{ZZ.2}", "") + r"In prose, \tag{ZZ.2}.", CODE, TEST),
        ("code", CHAPTER, CODE.replace("ZZ.2", ""), TEST),
        ("code", CHAPTER, CODE.replace("ZZ.2", "ZZ.2x"), TEST),
        ("code", CHAPTER, CODE.replace("# (ZZ.2)", "") + '"""(ZZ.2)  # (ZZ.2)"""\n', TEST),
        ("test", CHAPTER, CODE, TEST.replace("ZZ.2", "")),
        ("test", CHAPTER, CODE, '"""(ZZ.2)"""\n\n' + TEST.replace("ZZ.2", "")),
        ("test", CHAPTER, CODE, TEST.replace("ZZ.2", "") + "\ndef helper():\n    # (ZZ.2)\n    pass\n"),
    ],
)
def test_collector_finds_a_missing_number(tmp_path, kind, chapter, code, test):
    (line,) = complaints(write_project(tmp_path, chapter, code, test))
    assert line.startswith(f"(ZZ.2) is in no {kind}; seen in ")
    assert ("docs/a.md" in line) == (kind != "chapter")
    assert ("scratchgen/sub/a.py" in line) == (kind != "code")


@pytest.mark.parametrize("only", ["chapter", "code", "test"])
def test_collector_names_both_missing_places(tmp_path, only):
    texts = {"chapter": CHAPTER, "code": CODE, "test": TEST}
    extra = {"chapter": r"$$\tag{ZZ.10}$$", "code": "# (ZZ.10)\n", "test": "# (ZZ.10)\ndef test_b(): ...\n"}
    texts[only] += extra[only]
    missing = [kind for kind in texts if kind != only]
    (line,) = complaints(write_project(tmp_path, **texts))
    assert line.startswith(f"(ZZ.10) is in no {missing[0]} and in no {missing[1]}; seen in ")


def test_collector_finds_a_number_tagged_twice(tmp_path):
    root = write_project(tmp_path, CHAPTER, CODE, TEST)
    (root / "docs" / "b.md").write_text(r"$$ \tag{ZZ.1} $$", encoding="utf-8")
    assert complaints(root) == ["(ZZ.1) is tagged 2 times: docs/a.md, docs/b.md"]
