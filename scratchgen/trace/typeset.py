"""Formulas in plain Unicode, such as "dz = J_gᵀ·dout", as MathML, which browsers typeset by themselves."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789+−()aehijklmnoprstuvx", strict=True))
SUPERSCRIPTS = dict(
    zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀᵃᵇᶜᵈᵉʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘˣᐟ", "0123456789+−()Tabcdehijklmnoprstux/", strict=True)
)
GREEK = {"alpha": "α", "beta": "β", "delta": "δ", "eps": "ε", "gamma": "γ", "mu": "μ", "sigma": "σ"}
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d[\d,.]*\d|\d)|(?P<sub>[" + "".join(SUBSCRIPTS) + r"]+)"
    r"|(?P<sup>[" + "".join(re.escape(c) for c in SUPERSCRIPTS) + r"]+'*)"
    r"|(?P<word>[^\W\d_]['\u0300-\u036f\w]*?"
    r"(?=[_\W" + "".join(SUBSCRIPTS) + "".join(SUPERSCRIPTS) + r"]|$)['\u0300-\u036f]*)|(?P<other>.)",
    re.DOTALL,
)
CLOSING = {"(": ")", "[": "]", "{": "}"}


def mathml(formula: str) -> str:
    """A formula as a MathML element; its text is kept as the alternative text. A line break begins a line."""
    rows = [_row(line) for line in formula.split("\n")]
    body = rows[0]
    if len(rows) > 1:
        cells = "".join(f'<mtr><mtd style="text-align:left">{row}</mtd></mtr>' for row in rows)
        body = f"<mtable>{cells}</mtable>"
    return f'<math display="inline" alttext="{html.escape(formula)}">{body}</math>'


def _row(line: str) -> str:
    tokens = [(m.lastgroup or "other", m[0]) for m in TOKEN.finditer(unicodedata.normalize("NFC", line))]
    return f"<mrow>{''.join(_Parser(tokens).sequence(None))}</mrow>"


class _Parser:
    """A parser of a list of tokens (kind, text)."""

    def __init__(self, tokens: list[tuple[str, str]]):
        self.tokens, self.at = tokens, 0

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def sequence(self, end: str | None) -> Iterator[str]:
        """The elements up to a closing bracket, which is consumed, or up to the end."""
        before = ""
        while self.at < len(self.tokens):
            kind, text = self._next()
            if text == end:
                self.at += 1
                return
            if kind == "space":
                self.at += 1
                if len(text) > 1:
                    yield '<mspace width="1.2em"/>'
                elif before in ("word", "number", "other") and self._next()[0] in ("word", "number"):
                    yield '<mspace width="0.3em"/>'
                continue
            yield self._with_scripts(self._atom())
            before = "word" if kind in ("word", "number", "sub", "sup") or text in ")]}," else "operator"

    def _atom(self) -> str:
        """One element without its scripts."""
        kind, text = self._next()
        self.at += 1
        if kind == "number":
            return f"<mn>{text}</mn>"
        if kind == "word":
            return f"<mi>{html.escape(GREEK.get(text, text))}</mi>"
        if kind in ("sub", "sup"):          # without a base, as at the beginning of a line
            return _plain(text, SUBSCRIPTS if kind == "sub" else SUPERSCRIPTS)
        if text in CLOSING:
            inside = "".join(self.sequence(CLOSING[text]))
            return _fenced(text, inside)
        if text == "√":
            return f"<msqrt>{self._argument()}</msqrt>"
        if text in ("½", "∞", "…", "∇", "∂", "°"):
            return f"<mi>{text}</mi>"
        return f"<mo>{html.escape(text)}</mo>"

    def _with_scripts(self, base: str) -> str:
        """The element with the subscript and superscript that follow it."""
        sub = sup = ""
        while True:
            kind, text = self._next()
            if kind == "sub" and not sub:
                self.at += 1
                sub = _plain(text, SUBSCRIPTS)
            elif kind == "sup" and not sup:
                self.at += 1
                sup = _plain(text, SUPERSCRIPTS)
            elif text == "_" and not sub:
                self.at += 1
                sub = self._argument()
            elif text == "^" and not sup:
                self.at += 1
                sup = self._argument()
            else:
                break
        if sub and sup:
            return f"<msubsup>{base}{sub}{sup}</msubsup>"
        if sub:
            return f"<msub>{base}{sub}</msub>"
        return f"<msup>{base}{sup}</msup>" if sup else base

    def _argument(self) -> str:
        """What a root, "_" or "^" applies to: a bracket without its fences, or a sign and an element."""
        kind, text = self._next()
        if text in ("(", "{"):
            self.at += 1
            return f"<mrow>{''.join(self.sequence(CLOSING[text]))}</mrow>"
        if text in ("−", "-"):
            self.at += 1
            return f"<mrow><mo>−</mo>{self._argument()}</mrow>"
        if text in ("|", "‖"):
            self.at += 1
            return f"<mrow><mo>{text}</mo>{''.join(self.sequence(text))}<mo>{text}</mo></mrow>"
        if kind == "end":
            return "<mrow></mrow>"
        element = self._atom()
        return self._with_scripts(element) if self._next()[1] == "_" else element


def _fenced(opening: str, inside: str) -> str:
    return (
        f'<mrow><mo stretchy="false">{opening}</mo>{inside}'
        f'<mo stretchy="false">{CLOSING[opening]}</mo></mrow>'
    )


def _plain(text: str, table: dict[str, str]) -> str:
    """Raised or lowered characters as ordinary ones."""
    parts = "".join(
        f"<mn>{c}</mn>" if c.isdigit() else f"<mi>{c}</mi>" if c.isalpha() else f"<mo>{html.escape(c)}</mo>"
        for c in (table.get(letter, letter) for letter in text)
    )
    return f"<mrow>{parts}</mrow>"
