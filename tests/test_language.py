"""The project's texts are plain English: patterns that readers stumble over stay out of them.

Checked are the Markdown pages, and in Python files the comments, docstrings and messages. Identifiers and the
comments, docstrings and messages of code also avoid words that have a meaning in this project only, where
the field has a word of its own (a chapter may use a metaphor). Each rule says what to write instead.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("scratchgen", "demos", "benchmarks", "fuzz", "tests", "tools", "docs", "gallery")
HERE = Path(__file__).resolve()

# pattern -> what to write instead
PROSE = {
    r"\bwhoever\b": "name the reader, the caller or the next layer",
    r"\bnobody\b": "say what is not done: 'dx is not needed'",
    r"\bwhat (?:is|are) no\b": "say 'for anything but an array'",
    r"\bexpected an? [^.;]{1,60}? out of\b": "say 'expected one of …'",
    r"\b(?:only )?such as (?:can|are|may|have)\b": "say 'only those that can'",
    r"\bstands? in\b(?! for\b)": "say 'is in'",
    r"\b(?:is|are) said\b": "say who says it, or state it",
    r"\bof one's own\b": "say 'your own' or 'its own'",
    r"\bthere is to\b": "say who has to do it",
    r"(?:^|[.;:] )who (?:has|wants|needs|asks|looks|takes|calls)\b":
        "say 'callers that …' or 'a reader who …'",
    r"(?:^|[.?!] )(?:Trained|Asked|Measured|Left|Told|Given)\b[^.?!]{0,120}: (?:how|which|what)\b":
        "begin with the subject: 'each model is trained …'",
}  # fmt: skip
# word -> the field's word; in code only
HOUSE_WORDS = {
    "anomaly": "ood",
    "awake": "used",
    "coin": "Bernoulli",
    "coins": "Bernoulli pixels",
    "court": "metrics",
    "door": "entry point, or the name of the method",
    "faint": "small",
    "foreign": "out-of-distribution, unknown",
    "ink": "intensity",
    "judge": "digit classifier, discriminator",
    "judged": "classified, scored",
    "lent": "shared",
    "ruler": "metric",
    "silenced": "zeroed",
}
PLOT_NAMES = {"INK"}        # a colour
# the old name of a command, which is still understood
OLD_NAMES = {"scratchgen/cli/__init__.py": {"anomaly"}, "tests/cli/test_study.py": {"anomaly"}}


def tokens_of(source: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of Python code. An f-string is one token, as before Python 3.12."""
    lines = source.splitlines(keepends=True)
    begun: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            begun.append(token)
        elif name == "FSTRING_END":
            (first, begin), (last, end) = begun.pop().start, token.end
            text = "".join(lines[first - 1 : last])[begin : end - len(lines[last - 1]) or None]
            if not begun:
                yield token._replace(type=tokenize.STRING, string=text, start=(first, begin))
        elif not begun:
            yield token


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The comments and strings of Python code, each with its line; what is read as one text is one."""
    line, kind, parts = 0, None, []
    for token in tokens_of(source):
        if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            continue
        if token.type != kind and parts:
            yield line, " ".join(parts)
            parts = []
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            if not parts:
                line = token.start[0]
            if token.type == tokenize.COMMENT:
                parts.append(token.string.lstrip("# "))
            else:
                parts.append(re.sub(r"^[rRbBfFuU]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", "", token.string))
        kind = token.type


def paragraphs(markdown: str) -> Iterator[tuple[int, str]]:
    """The paragraphs of a page, each with the line on which it starts."""
    lines = markdown.splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip() and (i == 0 or not lines[i - 1].strip())]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        yield start + 1, " ".join(lines[start:end])


def words(identifier: str) -> set[str]:
    """The words of a name, in lower case: {"trained", "judge"} of trained_judge and of TrainedJudge."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def complaints(path: str, text: str) -> list[str]:
    """One line for each pattern that a file has: the place, what was found, and what to write instead."""
    found = []
    code = path.endswith(".py")
    banned = HOUSE_WORDS.keys() - OLD_NAMES.get(path, set())
    for line, part in texts(text) if code else paragraphs(text):
        part = " ".join(part.split())
        for pattern, instead in PROSE.items():
            # a pattern with capitals is about the beginning of a sentence
            for match in re.finditer(pattern, part, re.IGNORECASE if pattern.islower() else 0):
                found.append(f"{path}:{line}: {match.group().strip(' .;:')!r}: {instead}")
        if code:
            for word in re.findall(r"[a-z]+", part.lower()):
                if word in banned:
                    found.append(f"{path}:{line}: {word!r}: say {HOUSE_WORDS[word]}")
    if code:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and token.string not in PLOT_NAMES:
                for word in sorted(words(token.string) & banned):
                    found.append(f"{path}:{token.start[0]}: {token.string}: say {HOUSE_WORDS[word]}")
    return sorted(set(found))


def files() -> list[Path]:
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    found = [path for path in [*ROOT.glob("*.md"), *inside] if path.suffix in (".py", ".md")]
    return sorted(path for path in found if path.resolve() != HERE)


@pytest.mark.slow
def test_texts_are_plain_english():
    found = [
        line
        for path in files()
        for line in complaints(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


def test_names_of_files_are_words_of_the_field():
    names = {name for path in files() for name in (path.stem, path.parent.name)}
    assert not [name for name in names if words(name) & HOUSE_WORDS.keys()]


@pytest.mark.parametrize(
    "sentence",
    [
        "Whoever reads grad next finds zeros.",
        "dx is asked for by nobody.",
        "Raises TypeError for what is no array.",
        "MADE expected an order out of natural, random, got x",
        "Only such as can be compared are.",
        "The code stands in the next file.",
        "It is said that this works.",
        "A layer of one's own.",
        "All that there is to do is to wait.",
        "A call runs on one thread; who has long arrays shares them.",
        "Trained without one digit: how well does it tell it?",
    ],
)
def test_planted_sentence_is_found(sentence):
    (line,) = complaints("docs/a.md", f"# A page\n\nIt begins well.\n\n{sentence}\n")
    assert line.startswith("docs/a.md:5: ")
    (line,) = complaints("a.py", f'x = 1\n\n\ndef f():\n    """Do it.\n\n    {sentence}\n    """\n')
    assert line.startswith("a.py:5: ")
    (line,) = complaints("a.py", f"x = 1\n# {sentence.replace(' ', chr(10) + '# ')}\n")
    assert line.startswith("a.py:2: ")


def test_message_in_two_strings_is_read_as_one():
    source = 'raise ValueError(\n    f"{who} expected a kind out "\n    "of natural, random"\n)\n'
    (line,) = complaints("a.py", source)
    assert line.startswith("a.py:2: 'expected a kind out of': say 'expected one of")


@pytest.mark.parametrize("name", ["trained_judge", "TrainedJudge", "JUDGE", "judge"])
def test_private_word_is_found_in_a_name(name):
    assert complaints("a.py", f"{name} = 1\n") == [f"a.py:1: {name}: say digit classifier, discriminator"]
    assert complaints("docs/a.md", f"{name}\n") == []


@pytest.mark.parametrize(
    "sentence",
    ["One network stands in for the other.", "Click the link.", "Three out of four are.", "The inking."],
)
def test_plain_sentence_is_left_alone(sentence):
    assert complaints("docs/a.md", sentence) == []
    assert complaints("a.py", f"# {sentence}\n") == []
