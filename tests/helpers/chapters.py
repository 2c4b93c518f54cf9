"""The chapters, and the parts that each of them has: questions, skills and a training curve."""

import re
from dataclasses import dataclass
from functools import cached_property

from helpers.pages import ROOT, Block, blocks

PARTS = ("Questions with answers", "What you should be able to do now", "The training curve to expect")
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Question:
    """A question of a chapter, and the code of its answer."""

    text: str
    answer: str

    @property
    def code(self) -> list[Block]:
        return [block for block in blocks(self.answer) if block.language == "python"]


@dataclass(frozen=True)
class Chapter:
    """A chapter by the name of its file, such as "vae"."""

    name: str

    @cached_property
    def text(self) -> str:
        return (ROOT / "docs" / f"{self.name}.md").read_text(encoding="utf-8")

    def part(self, title: str) -> str:
        """The text below one of the headings PARTS. Raises ValueError unless the heading occurs once."""
        found = re.findall(rf"^## {title}\n(.*?)(?=^## |^Next: |\Z)", self.text, re.MULTILINE | re.DOTALL)
        if len(found) != 1:
            raise ValueError(f"{self.name}.md has {len(found)} headings {title!r}")
        return found[0]

    @property
    def questions(self) -> list[Question]:
        """The questions. Raises ValueError for a fold that is not closed or not as Markdown needs it."""
        part = self.part(PARTS[0])
        fold = r"<details>\n<summary>([^\n<]+)</summary>\n\n(.*?)\n\n</details>\n"
        rest = re.sub(fold, "", part, flags=re.DOTALL)
        if rest.strip():
            raise ValueError(f"{self.name}.md has text outside of its folds: {rest.strip()[:80]!r}")
        found = [Question(*match) for match in re.findall(fold, part, re.DOTALL)]
        for question in found:
            if "<details>" in question.answer or "<summary>" in question.answer:
                raise ValueError(f"{self.name}.md has a fold that is not closed: {question.text}")
        return found

    @property
    def exercises(self) -> list[str]:
        """The exercises that the list of skills names."""
        groups = re.findall(r"exercises? ((?:`[\w-]+`(?:, | and )?)+)", " ".join(self.part(PARTS[1]).split()))
        return [name for group in groups for name in re.findall(r"`([\w-]+)`", group)]

    @property
    def curve(self) -> tuple[str, list[int], dict[str, list[float]]]:
        """The code that trains, the epochs that the table has, and its values by row."""
        part = self.part(PARTS[2])
        (block,) = blocks(part)
        lines = re.findall(r"^\|.*\|$", part, re.MULTILINE)
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        head, _, *body = rows
        return block.text, [int(n) for n in head[1:]], {row[0]: [float(x) for x in row[1:]] for row in body}


def chapters() -> list[Chapter]:
    """The chapters in the order of docs/README.md."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    return [Chapter(name) for name in re.findall(r"^\d+\. \[[^\]]+\]\(([\w-]+)\.md\)", index, re.MULTILINE)]


def shown_output(code: str) -> list[str]:
    """The lines that code prints, as the comments after its calls of print say."""
    return re.findall(r"^ *print\(.*\) {4}# (.*)$", code, re.MULTILINE)


def equal(printed: str, shown: str) -> bool:
    """Whether two lines have the same words and the same numbers, up to one unit of the last digit shown."""
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", shown).split():
        return False
    for found, expected in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        mantissa, _, power = expected.partition("e")
        unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
        if found != expected and abs(float(found) - float(expected)) > 1.01 * unit:
            return False
    return True
