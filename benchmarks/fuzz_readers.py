"""Readers of logs under atheris: whatever is in a file, verdicts or a line that says why not.

    pip install atheris   # Python 3.11 to 3.13 on Linux
    python -m benchmarks.fuzz_readers CORPUS -max_total_time=1800 -timeout=20 -rss_limit_mb=2048

The arguments are libFuzzer's. An empty folder CORPUS is filled first with the logs of tests/logs. The first byte of an
input says as what the rest is read; anything but verdicts or a ``SurefootError`` of one printable line, a warning
included, ends the run and leaves the input beside as crash-*.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["surefoot.diagnosis"]):
    from surefoot.diagnosis import diagnose
from surefoot.errors import SurefootError

LOGS = Path(__file__).parent.parent / "tests" / "logs"
NAMES = ("a.csv", "a.json", "a.jsonl", "trainer_state.json", "a.log", "events.out.tfevents.0", "study.db", "a.wandb")
FOLDER = Path(tempfile.mkdtemp())  # TMPDIR=/dev/shm spares the disk


def read(data: bytes) -> None:
    """Have a file read; raise what is no answer."""
    path = FOLDER / NAMES[data[0] % len(NAMES) if data else 0]
    path.write_bytes(data[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = diagnose(path)
    except SurefootError as error:
        said = [str(error)]
    else:
        assert found, "no verdict"
        said = [part for finding in found for part in (finding.verdict, finding.evidence, finding.advice, finding.run)]
    for text in said:
        assert text.isprintable(), repr(text)


def seed(corpus: Path) -> None:
    """An input for every log that the tests have, by the name it is read under."""
    corpus.mkdir(parents=True, exist_ok=True)
    if any(corpus.iterdir()):
        return
    for log in LOGS.rglob("*"):
        if log.is_file() and log.suffix not in (".py", ".pyc"):
            kind = next((place for place, name in enumerate(NAMES) if log.name.endswith(name[1:])), 4)
            (corpus / f"{log.parent.name}_{log.name}").write_bytes(bytes([kind]) + log.read_bytes())
            (corpus / f"short_{log.parent.name}_{log.name}").write_bytes(bytes([kind]) + log.read_bytes()[:600])


def main() -> None:
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
