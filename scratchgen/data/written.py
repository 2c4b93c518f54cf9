"""Numbers and dates, written out in English and in Chinese, with their digits: a task for translation.

Every value has exactly one text in each language, so a translation is either right or wrong. Numbers go from
0 to 999,999 and dates from 1800 to 2199. In Chinese, 2 is always 二, never 两.
"""

from __future__ import annotations

import datetime
import zlib

import numpy as np

from scratchgen.checks import as_generator, expect_count, expect_int
from scratchgen.data.pairs import Pairs, expect_part

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = (
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
DIGITS = "零一二三四五六七八九"
FIRST, LAST = datetime.date(1800, 1, 1), datetime.date(2199, 12, 31)
HELD_OUT = 10       # one of this many values is in the test part


def english_number(number: int) -> str:
    """A number from 0 to 999,999 in English words: 305 -> "three hundred and five"."""
    number = _number("english_number", number)
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest)
    words = f"{_below_thousand(thousands)} thousand"
    if not rest:
        return words
    return f"{words}{' and' if rest < 100 else ''} {_below_thousand(rest)}"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        words = f"{SMALL[hundreds]} hundred"
        return f"{words} and {_below_thousand(rest)}" if rest else words
    if rest < 20:
        return SMALL[rest]
    tens, ones = divmod(rest, 10)
    return f"{TENS[tens]}-{SMALL[ones]}" if ones else TENS[tens]


def chinese_number(number: int) -> str:
    """A number from 0 to 999,999 in Chinese characters: 305 -> "三百零五"."""
    number = _number("chinese_number", number)
    if number == 0:
        return DIGITS[0]
    high, low = divmod(number, 10_000)
    text = f"{_below_ten_thousand(high)}万" if high else ""
    if high and 0 < low < 1000:
        text += DIGITS[0]                       # 零 stands for one or more zeros between other digits
    text += _below_ten_thousand(low)
    return text[1:] if text.startswith("一十") else text


def _below_ten_thousand(number: int) -> str:
    """The digits with their units; nothing for 0."""
    text, skipped = "", False
    for digit, unit in zip(map(int, f"{number:04d}"), ("千", "百", "十", ""), strict=True):
        if digit:
            text += (DIGITS[0] if skipped else "") + DIGITS[digit] + unit
        skipped = not digit and bool(text)
    return text


def english_date(date: datetime.date) -> str:
    """A date in English: 1994-03-03 -> "march 3rd, 1994"."""
    date = _date("english_date", date)
    ending = "th" if date.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    return f"{MONTHS[date.month - 1]} {date.day}{ending}, {date.year}"


def chinese_date(date: datetime.date) -> str:
    """A date in Chinese characters, the year digit by digit: 1994-03-03 -> "一九九四年三月三日"."""
    date = _date("chinese_date", date)
    year = "".join(DIGITS[int(digit)] for digit in str(date.year))
    return f"{year}年{chinese_number(date.month)}月{chinese_number(date.day)}日"


def is_held_out(target: str) -> bool:
    """Whether a value, written as "305" or "1994-03-03", is in the test part: one of ten, by a checksum."""
    return zlib.crc32(target.encode()) % HELD_OUT == 0


def written_pairs(n: int, *, part: str = "train", rng: np.random.Generator | int) -> Pairs:
    """Draw n pairs such as ("three hundred and five", "305") or ("一九九四年三月三日", "1994-03-03").

    Numbers and dates, English and Chinese are equally frequent. The values of the two parts are different:
    a number or date of the test part occurs in the training part in neither language.

    part : "train" or "test"
    rng : a Generator or an integer seed
    """
    n = expect_count("written_pairs", "n", n)
    expect_part("written_pairs", part)
    rng = as_generator("written_pairs", rng)
    pairs = Pairs([], [])
    while len(pairs.source) < n:
        source, target = _draw(rng)
        if is_held_out(target) == (part == "test"):
            pairs.source.append(source)
            pairs.target.append(target)
    return pairs


def _draw(rng: np.random.Generator) -> tuple[str, str]:
    """A pair of any part. Numbers below 100, 1,000, … 1,000,000 are equally frequent."""
    kind, digits = int(rng.integers(4)), int(rng.integers(2, 7))
    if kind < 2:
        number = int(rng.integers(10**digits))
        return (english_number, chinese_number)[kind](number), str(number)
    date = datetime.date.fromordinal(int(rng.integers(FIRST.toordinal(), LAST.toordinal() + 1)))
    return (english_date, chinese_date)[kind - 2](date), date.isoformat()


def _number(who: str, number: int) -> int:
    number = expect_int(who, "number", number)
    if not 0 <= number < 1_000_000:
        raise ValueError(f"{who} expected number in 0..999999, got {number}")
    return number


def _date(who: str, date: datetime.date) -> datetime.date:
    if not isinstance(date, datetime.date):
        raise TypeError(f"{who} expected date to be a datetime.date, got {type(date).__name__}")
    if not FIRST.year <= date.year <= LAST.year:
        raise ValueError(f"{who} expected date from {FIRST.year} to {LAST.year}, got {date}")
    return date
