"""Written numbers and dates: known ones, and an inverse that reads every one of a range back."""

import datetime
import re

import numpy as np
import pytest

from scratchgen.data import (
    chinese_date,
    chinese_number,
    english_date,
    english_number,
    written_pairs,
)
from scratchgen.data.written import FIRST, LAST, is_held_out

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
VALUES = {word: i for i, word in enumerate(SMALL)} | {word: 10 * i for i, word in enumerate(TENS, 2)}
UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
RANGE = [
    *range(0, 2_500), *range(9_000, 12_000), *range(99_000, 102_000, 3), *range(0, 1_000_000, 997), 999_999,
]  # fmt: skip


def read_english(text):
    """The value of English words: hundreds multiply what is before them, thousands all of it."""
    total, part = 0, 0
    for word in re.split("[ -]", text):
        if word == "hundred":
            part *= 100
        elif word == "thousand":
            total, part = 1000 * part, 0
        elif word != "and":
            part += VALUES[word]
    return total + part


def read_chinese(text):
    """The value of Chinese characters: a unit multiplies the digit before it, 万 all that is before it."""
    total, part, digit = 0, 0, 0
    for c in text:
        if c == "万":
            total, part, digit = (part + digit) * 10_000, 0, 0
        elif c in UNITS:
            part, digit = part + (digit or 1) * UNITS[c], 0
        else:
            digit = "零一二三四五六七八九".index(c)
    return total + part + digit


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (0, "zero", "零"), (10, "ten", "十"), (12, "twelve", "十二"), (20, "twenty", "二十"),
        (45, "forty-five", "四十五"), (100, "one hundred", "一百"),
        (110, "one hundred and ten", "一百一十"), (305, "three hundred and five", "三百零五"),
        (1_000, "one thousand", "一千"), (1_005, "one thousand and five", "一千零五"),
        (1_010, "one thousand and ten", "一千零一十"), (2_222, "two thousand two hundred and twenty-two",
                                                    "二千二百二十二"),
        (10_005, "ten thousand and five", "一万零五"), (10_500, "ten thousand five hundred", "一万零五百"),
        (100_000, "one hundred thousand", "十万"), (305_000, "three hundred and five thousand", "三十万五千"),
    ],
)  # fmt: skip
def test_known_numbers(number, english, chinese):
    assert english_number(number) == english and chinese_number(number) == chinese


@pytest.mark.parametrize(
    ("write", "read"), [(english_number, read_english), (chinese_number, read_chinese)]
)
def test_every_number_of_the_ranges_is_read_back(write, read):
    assert [n for n in RANGE if read(write(n)) != n] == []
    assert len({write(n) for n in RANGE}) == len(set(RANGE))


def test_chinese_numbers_have_no_repeated_or_last_zero():
    texts = [chinese_number(n) for n in RANGE if n]
    assert not [t for t in texts if "零零" in t or t.startswith("零") or t.endswith("零")]


def read_english_date(text):
    month, day, year = re.fullmatch(r"(\w+) (\d+)(?:st|nd|rd|th), (\d{4})", text).groups()
    return datetime.datetime.strptime(f"{month} {day} {year}", "%B %d %Y").date()


def read_chinese_date(text):
    year, month, day = re.fullmatch(r"(.{4})年(.+)月(.+)日", text).groups()
    digits = "".join(str("零一二三四五六七八九".index(c)) for c in year)
    return datetime.date(int(digits), read_chinese(month), read_chinese(day))


def test_every_date_of_two_years_is_read_back():
    days = [datetime.date(1999, 12, 1) + datetime.timedelta(i) for i in range(800)]
    days += [FIRST, LAST]
    assert [d for d in days if read_english_date(english_date(d)) != d] == []
    assert [d for d in days if read_chinese_date(chinese_date(d)) != d] == []


def test_known_dates():
    assert english_date(datetime.date(1994, 3, 3)) == "march 3rd, 1994"
    assert chinese_date(datetime.date(1994, 3, 3)) == "一九九四年三月三日"
    assert chinese_date(datetime.date(2011, 10, 20)) == "二零一一年十月二十日"
    days = (1, 2, 11, 12, 13, 21, 22, 23, 31)
    endings = [english_date(datetime.date(2000, 1, day)).split()[1] for day in days]
    assert endings == ["1st,", "2nd,", "11th,", "12th,", "13th,", "21st,", "22nd,", "23rd,", "31st,"]


def read(source):
    """The digits of any source, by the independent readers."""
    if source[0].isascii():
        return read_english_date(source).isoformat() if "," in source else str(read_english(source))
    return read_chinese_date(source).isoformat() if "年" in source else str(read_chinese(source))


def test_drawn_pairs_are_right_and_the_parts_share_no_value():
    train, test = (written_pairs(1_500, part=part, rng=0) for part in ("train", "test"))
    for pairs in (train, test):
        assert [read(source) for source in pairs.source] == pairs.target
        kinds = [(s[0].isascii(), "-" in t) for s, t in zip(pairs.source, pairs.target, strict=True)]
        assert all(kinds.count((a, b)) > 300 for a in (True, False) for b in (True, False))
    assert not set(train.target) & set(test.target)
    assert np.mean([is_held_out(str(n)) for n in range(20_000)]) == pytest.approx(0.1, abs=0.01)
    assert written_pairs(20, rng=3) == written_pairs(20, rng=np.random.default_rng(3))
    assert written_pairs(20, rng=3) != written_pairs(20, rng=4)


def test_wrong_values_are_refused():
    for number in (-1, 1_000_000):
        with pytest.raises(ValueError, match=r"^english_number expected number in 0\.\.999999, got"):
            english_number(number)
    for date in ("1994-03-03", 5, None):
        with pytest.raises(TypeError, match="^chinese_date expected date to be a datetime.date, got"):
            chinese_date(date)
    with pytest.raises(ValueError, match="^english_date expected date from 1800 to 2199, got 1799-12-31"):
        english_date(datetime.date(1799, 12, 31))
    with pytest.raises(ValueError, match="^written_pairs expected part to be one of train, test, got 'all'"):
        written_pairs(3, part="all", rng=0)
