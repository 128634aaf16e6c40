"""In which language a sentence for a person is said."""

from surefoot.language.speaking import LANGUAGES, language, say

__all__ = ["LANGUAGES", "language", "say"]
