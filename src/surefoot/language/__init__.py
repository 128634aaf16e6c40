"""In which language a sentence for a person is said."""

from surefoot.language.retelling import retold
from surefoot.language.speaking import LANGUAGES, current, language, say

__all__ = ["LANGUAGES", "current", "language", "retold", "say"]
