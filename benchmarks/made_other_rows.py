"""Rows of other kinds than tables for ``benchmarks.made_faults``: pictures, words, characters, sounds, ratings."""

from __future__ import annotations

import gzip
import io
import json
import wave
import zipfile
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets

from benchmarks.probe_tasks import rated_movies
from benchmarks.tasks import ADULT_COLUMNS, ROOT, adult_rows

__all__ = ["characters", "diabetes", "hours", "intents", "ratings", "spoken"]

Table = tuple[npt.NDArray[Any], npt.NDArray[Any]]
NUM_INTENTS, LONGEST = 20, 12
WINDOW, NUM_WINDOWS = 32, 1500
NUM_RATINGS, OFTEN = 9000, 20
BANDS, FRAMES = 16, 20


@cache
def intents() -> Table:
    """What somebody wants, of twenty things, and the codes of the words it was asked with; 0 after the last."""
    parts = json.loads(gzip.decompress((ROOT / "data/clinc150/data_full.json.gz").read_bytes()))
    asked = [pair for part in ("train", "val", "test") for pair in parts[part]]
    known = {name: place for place, name in enumerate(sorted({intent for _, intent in asked})[:NUM_INTENTS])}
    asked = [(text.split()[:LONGEST], known[intent]) for text, intent in asked if intent in known]
    counts = Counter(word for words, _ in asked for word in words)
    codes = {word: code for code, word in enumerate(sorted(word for word in counts if counts[word] > 1), start=2)}
    inputs = np.zeros((len(asked), LONGEST), dtype=np.int64)
    for row, (words, _) in enumerate(asked):
        inputs[row, : len(words)] = [codes.get(word, 1) for word in words]
    return inputs, np.array([intent for _, intent in asked])


@cache
def characters() -> Table:
    """Windows of tiny Shakespeare, and at every place the character that comes next."""
    text = np.frombuffer((ROOT / "data/tinyshakespeare/input.txt").read_bytes(), np.uint8)
    codes = np.unique(text, return_inverse=True)[1].astype(np.int64)
    windows = codes[: len(codes) // (WINDOW + 1) * (WINDOW + 1)].reshape(-1, WINDOW + 1)
    windows = windows[:: len(windows) // NUM_WINDOWS][:NUM_WINDOWS]
    return windows[:, :-1], windows[:, 1:].copy()


@cache
def spoken() -> Table:
    """A digit that somebody speaks: log power by band and time."""
    pictures, labels = [], []
    with zipfile.ZipFile(ROOT / "data/fsdd/recordings.zip") as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".wav")):
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16) / 32768.0
            pictures.append(_spectrogram(samples))
            labels.append(int(name.rsplit("/", 1)[-1].split("_")[0]))
    return np.stack(pictures).astype(np.float32), np.array(labels)


def _spectrogram(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    padded = np.zeros(256 * (FRAMES + 1))
    padded[: min(len(padded), len(samples))] = samples[: len(padded)]
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 256)[::256][:FRAMES] * np.hanning(256)
    power = np.abs(np.fft.rfft(pieces)[:, 1:]) ** 2
    return np.log(power.reshape(FRAMES, BANDS, -1).mean(axis=2) + 1e-6).T


@cache
def ratings() -> Table:
    """What users think of movies, of those with many ratings."""
    found = rated_movies()
    assert found is not None, "this measurement needs MovieTweetings: set SUREFOOT_DATA"
    codes, rated, _ = found
    frequent = np.ones(len(codes), dtype=bool)
    for column in (0, 1):
        frequent &= np.bincount(codes[:, column])[codes[:, column]] >= OFTEN
    codes, rated = codes[frequent][:NUM_RATINGS], rated[frequent][:NUM_RATINGS, 0]
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in codes.T], axis=1)
    return codes.astype(np.int64), rated.astype(np.float32)


@cache
def diabetes() -> Table:
    """How far an illness went within a year."""
    found = datasets.load_diabetes()
    return found.data.astype(np.float32), _standard(found.target)


@cache
def hours() -> Table:
    """How many hours a week somebody works."""
    rows = adult_rows("train")[:9000]
    target = ADULT_COLUMNS.index("hours-per-week")
    columns = []
    for place, name in enumerate(ADULT_COLUMNS):
        cells = [row[place] for row in rows]
        if name in ("age", "education-num", "capital-gain", "capital-loss"):
            columns.append(_standard(np.array(cells, dtype=np.float64))[:, None])
        elif name not in ("fnlwgt", "hours-per-week", "native-country", "education"):
            columns.append(np.eye(len(set(cells)), dtype=np.float32)[np.unique(cells, return_inverse=True)[1]])
    return np.concatenate(columns, axis=1), _standard(np.array([float(row[target]) for row in rows]))


def _standard(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return ((values - values.mean()) / values.std()).astype(np.float32)
