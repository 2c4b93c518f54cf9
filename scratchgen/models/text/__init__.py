"""Language models of characters: a transformer and an n-gram table."""

from scratchgen.models.text.characters import CharacterModel
from scratchgen.models.text.ngram import NGram

__all__ = [
    "CharacterModel",
    "NGram",
]
