"""Chinese sentences by their English ones. The fields are the same, their order need not be."""

from surefoot.language.chinese.verdicts import VERDICTS

__all__ = ["CHINESE"]

CHINESE: dict[str, str] = {**VERDICTS}
