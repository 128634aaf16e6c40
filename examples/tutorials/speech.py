"""Spoken digits: recordings to log-mel spectrograms, and a small convolutional network.

    python examples/tutorials/speech.py              # one tuned model
    python examples/tutorials/speech.py --seeds 3    # and what tuning bought, over three seeds

docs/tutorials/speech.md walks through it.
"""

from __future__ import annotations

import argparse
import io
import wave
import zipfile

import numpy as np
from side_by_side import side_by_side
from torch import nn
from where import data_file

import surefoot as sf

RATE = 8_000  # samples a second
WINDOW, HOP, FRAMES, BANDS = 256, 128, 40, 32


def mel_filters() -> np.ndarray:
    """Triangles, evenly spaced on the mel scale, over the frequencies of a window: (bands, frequencies)."""
    mel_edges = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel_edges / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def spectrogram(sound: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """The logarithm of the power in each band over time; short sounds are padded with silence."""
    length = WINDOW + HOP * (FRAMES - 1)
    padded = np.zeros(length)
    padded[: min(length, len(sound))] = sound[:length]
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    return np.log(filters @ (np.abs(np.fft.rfft(pieces)) ** 2).T + 1e-6)


def read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectrograms (rows, 1, bands, frames), digits, and the number of the take: 0 to 49 of every speaker and digit."""
    filters = mel_filters()
    pictures, digits, takes = [], [], []
    with zipfile.ZipFile(data_file("fsdd", "recordings.zip")) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".wav")):
            digit, _, take = name.rsplit("/", 1)[-1].removesuffix(".wav").split("_")
            with wave.open(io.BytesIO(archive.read(name))) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
            pictures.append(spectrogram(sound, filters))
            digits.append(int(digit))
            takes.append(int(take))
    return np.stack(pictures)[:, None].astype(np.float32), np.array(digits), np.array(takes)


def build(width: int = 8, dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * width * (BANDS // 4) * (FRAMES // 4), 10),
    )  # fmt: skip


def make_task(*, every: int, epochs: float) -> sf.Task:
    """The data set's own split: takes 0 to 4 are the test rows; 5 to 9 are to choose by."""
    pictures, digits, takes = read()
    train, held, test = takes >= 10, (takes >= 5) & (takes < 10), takes < 5
    mean, deviation = pictures[train].mean(), pictures[train].std()
    pictures = (pictures - mean) / deviation
    parts = [(pictures[part][::every], digits[part][::every]) for part in (train, held, test)]
    return sf.Task(build, parts[0], validation=parts[1], test=parts[2], epochs=epochs, name="spoken digits")


def main(*, every: int = 1, epochs: float = 12, budget: float = 2.0, seeds: int = 1) -> sf.Result:
    task = make_task(every=every, epochs=epochs)
    print(f"{len(task.train[0]):,} recordings to learn from, {len(task.validation[0]):,} to choose by\n")
    print(sf.probe(task), "\n")

    watcher = sf.Printer(every_look=False, allowed=budget)
    space = {"model.dropout": sf.space.choice(0.0, 0.3)}
    result = sf.tune(task, budget=budget, space=space, directory="runs/speech", overwrite=True, observer=watcher)
    print(f"\n{result}")
    for finding in result.findings:
        print(f"{finding.verdict}: {finding.evidence}\n  -> {finding.advice}")

    model = sf.load("runs/speech", model=build)
    spectrograms, digits = task.test
    heard = np.array(model.predict(spectrograms))
    print("\nDigits that are taken for others")
    for digit in range(10):
        others = heard[(digits == digit) & (heard != digit)]
        if len(others):
            print(f"  {digit} of {int((digits == digit).sum())} recordings: taken for {sorted(others.tolist())}")
    if seeds > 1:
        side_by_side(task, seeds=seeds, budget=budget, metric="test_loss")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
