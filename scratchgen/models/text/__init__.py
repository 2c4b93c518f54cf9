"""Models of text: language models of characters, an n-gram table, and translation."""

from scratchgen.models.text.characters import CharacterModel
from scratchgen.models.text.mixture import TextMixture
from scratchgen.models.text.ngram import NGram
from scratchgen.models.text.translator import Translator

__all__ = [
    "CharacterModel",
    "NGram",
    "TextMixture",
    "Translator",
]
