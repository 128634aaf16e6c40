"""Chinese sentences by their English ones. The fields are the same, their order need not be."""

from surefoot.language.chinese.causes import CAUSES
from surefoot.language.chinese.comparison import COMPARISON
from surefoot.language.chinese.page import PAGE
from surefoot.language.chinese.probe import PROBE
from surefoot.language.chinese.reading import READING
from surefoot.language.chinese.recorded import RECORDED
from surefoot.language.chinese.terminal import TERMINAL
from surefoot.language.chinese.verdicts import VERDICTS

__all__ = ["CHINESE", "RECORDED"]

CHINESE: dict[str, str] = {**RECORDED, **PAGE, **COMPARISON, **PROBE, **VERDICTS, **CAUSES, **READING, **TERMINAL}
