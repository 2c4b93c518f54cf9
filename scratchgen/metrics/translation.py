"""Metrics of translations: the share that is exactly right, and BLEU."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

UNITS = ("words", "characters")
ORDER = 4       # the longest n-grams of BLEU


def exact_match(translations: Sequence[str], references: Sequence[str]) -> float:
    """Compute the share of the translations that are equal to their references, character by character.

    Raises TypeError for anything but lists of strings, and ValueError for lists of different lengths or
    without sentences.
    """
    _expect_sentences("exact_match", translations, references)
    return sum(a == b for a, b in zip(translations, references, strict=True)) / len(references)


def bleu(translations: Sequence[str], references: Sequence[str], *, unit: str = "words") -> float:
    """Compute BLEU of all translations together, from 0 to 100, with one reference each.

    (BLEU.1)  p_n     = matches_n / total_n                  for the n-grams, n = 1 … 4
    (BLEU.2)  brevity = min(1, exp(1 − r/c))                 c tokens of the translations, r of the references
    (BLEU.3)  BLEU    = 100 · brevity · (p_1·p_2·p_3·p_4)^¼

    total_n counts the n-grams of all translations. matches_n counts those that occur in the reference, each
    at most as often as there. If an order has no match, p_n = 1 / (2ᵏ·total_n) for the k-th such order, as
    in sacrebleu's default smoothing, "exp". BLEU is 0 if there is no match at all, or no n-gram of length 4.

    unit : "words", which are separated by spaces, or "characters" without spaces. The results are those of
        sacrebleu with tokenize="none" and "char". Its default, "13a", also separates punctuation: separate
        it first to compare with such figures

    Source: Papineni et al. 2002; the smoothing: Chen & Cherry 2014, method 3. Derived in docs/translation.md.

    Raises TypeError for anything but lists of strings, and ValueError for lists of different lengths or
    without sentences.
    """
    _expect_sentences("bleu", translations, references)
    if not isinstance(unit, str) or unit not in UNITS:
        raise ValueError(f"bleu expected unit to be one of {', '.join(UNITS)}, got {unit!r}")
    pairs = [
        (_tokens(a, unit), _tokens(b, unit)) for a, b in zip(translations, references, strict=True)
    ]
    lengths = [sum(len(tokens) for tokens in side) for side in zip(*pairs, strict=True)]
    matches, totals = zip(*(_count(pairs, n) for n in range(1, ORDER + 1)), strict=True)
    if not any(matches) or not all(totals):
        return 0.0
    log_p, misses = 0.0, 0
    for match, total in zip(matches, totals, strict=True):
        misses += not match
        log_p += math.log(match / total if match else 1 / (2**misses * total))      # (BLEU.1)
    brevity = min(1.0, math.exp(1 - lengths[1] / lengths[0]))                       # (BLEU.2)
    return 100 * brevity * math.exp(log_p / ORDER)                                  # (BLEU.3)


def _count(pairs: list[tuple[list[str], list[str]]], n: int) -> tuple[int, int]:
    """(matches, total) of the n-grams of all pairs."""
    matches, total = 0, 0
    for translation, reference in pairs:
        found, known = _ngrams(translation, n), _ngrams(reference, n)
        matches += (found & known).total()      # each n-gram at most as often as in the reference
        total += found.total()
    return matches, total


def _ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _tokens(sentence: str, unit: str) -> list[str]:
    return sentence.split() if unit == "words" else [c for c in sentence if not c.isspace()]


def _expect_sentences(who: str, translations: Any, references: Any) -> None:
    for name, sentences in (("translations", translations), ("references", references)):
        if not isinstance(sentences, list | tuple) or not all(isinstance(s, str) for s in sentences):
            what = "with other entries" if isinstance(sentences, list | tuple) else type(sentences).__name__
            raise TypeError(f"{who} expected {name} to be a list of strings, got {what}")
        if not sentences:
            raise ValueError(f"{who} expected {name} to have at least one sentence, got none")
    if len(translations) != len(references):
        raise ValueError(
            f"{who} expected translations and references of the same length, "
            f"got {len(translations)} and {len(references)}"
        )
