"""The small networks of ``benchmarks.made_faults``: of tables, pictures, words, sounds, characters and ratings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.made_settings import Rows, Setting

__all__ = ["attention", "bag_of_words", "convolutions", "dense", "factors", "normed", "recurrent", "scaled"]

EMBEDDED = 16
SMALLEST_POOLED = 4
WITH_WEIGHTS = (nn.Linear, nn.Conv2d)


def dense(rows: Rows, setting: Setting) -> nn.Module:
    """Layers of units, one after the other."""
    return nn.Sequential(*_hidden(rows.train[0][0].numel(), setting.hidden, rows, setting))


def convolutions(rows: Rows, setting: Setting, *, is_normed: bool = False) -> nn.Module:
    """Convolutions of 3 x 3, halved in size after the first two, and a dense layer."""
    channels, height, width = rows.train[0].shape[1:]
    layers: list[nn.Module] = []
    for place, wanted in enumerate(setting.hidden):
        layers += [nn.Conv2d(channels, wanted, 3, padding=1)]
        layers += [nn.BatchNorm2d(wanted)] if is_normed else []
        layers += [setting.activation()]
        channels = wanted
        if place < 2 and min(height, width) >= SMALLEST_POOLED:
            layers += [nn.MaxPool2d(2)]
            height, width = height // 2, width // 2
    layers += [nn.Flatten()]
    layers += [nn.Dropout(setting.dropout)] if setting.dropout else []
    return nn.Sequential(*layers, nn.Linear(channels * height * width, rows.outputs))


def normed(rows: Rows, setting: Setting) -> nn.Module:
    """Convolutions with batch normalisation."""
    return convolutions(rows, setting, is_normed=True)


def bag_of_words(rows: Rows, setting: Setting) -> nn.Module:
    """The mean of the words' embeddings, and layers of units behind it."""
    first, *others = setting.hidden
    bag = nn.EmbeddingBag(_codes(rows), first, mode="mean", padding_idx=0)
    return nn.Sequential(bag, setting.activation(), *_hidden(first, tuple(others), rows, setting))


def recurrent(rows: Rows, setting: Setting) -> nn.Module:
    """A GRU over characters that says the next one at every place."""
    return Recurrent(_codes(rows), setting, rows.outputs)


def attention(rows: Rows, setting: Setting) -> nn.Module:
    """Blocks of attention over the frames of a sound, and their mean."""
    return Attention(rows.train[0].shape[1:], setting, rows.outputs)


def factors(rows: Rows, setting: Setting) -> nn.Module:
    """A product of the embeddings of user and movie, plus a bias of each."""
    return Factors(_codes(rows), setting)


def scaled(model: nn.Module, setting: Setting) -> nn.Module:
    """With its first weights and biases as the setting wants them."""
    with torch.no_grad():
        for values in model.parameters():
            if values.dim() > 1:
                values *= setting.gain
            elif not setting.gain:
                values.zero_()
        weighted = [layer for layer in model.modules() if isinstance(layer, WITH_WEIGHTS)]
        for layer in weighted[:-1]:
            if layer.bias is not None:
                layer.bias += setting.bias
    return model


def _hidden(width: int, hidden: tuple[int, ...], rows: Rows, setting: Setting) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wanted in hidden:
        layers += [nn.Linear(width, wanted), setting.activation()]
        layers += [nn.Dropout(setting.dropout)] if setting.dropout else []
        width = wanted
    return [*layers, nn.Linear(width, rows.outputs)]


def _codes(rows: Rows) -> int:
    return int(max(part[0].max() for part in (rows.train, rows.validation, rows.test))) + 1


class Recurrent(nn.Module):
    """Codes (rows, length) to outputs (rows, length, codes)."""

    def __init__(self, codes: int, setting: Setting, outputs: int) -> None:
        super().__init__()
        width = setting.hidden[0]
        self.embedding = nn.Embedding(codes, EMBEDDED)
        self.units = nn.GRU(EMBEDDED, width, num_layers=len(setting.hidden), batch_first=True)
        self.dropout = nn.Dropout(setting.dropout)
        self.last = nn.Linear(width, outputs)

    def forward(self, codes: Tensor) -> Tensor:
        return self.last(self.dropout(self.units(self.embedding(codes))[0]))


class Attention(nn.Module):
    """Frames (rows, bands, times) to outputs (rows, classes)."""

    def __init__(self, shape: Any, setting: Setting, outputs: int) -> None:
        super().__init__()
        bands, times = shape
        width = setting.hidden[0]
        self.first = nn.Linear(bands, width)
        self.places = nn.Parameter(0.02 * torch.randn(times, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 2 * width, setting.dropout, batch_first=True, norm_first=True)
            for _ in setting.hidden
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, frames: Tensor) -> Tensor:
        found = self.first(frames.transpose(1, 2)) + self.places
        for block in self.blocks:
            found = block(found)
        return self.last(found.mean(1))


class Factors(nn.Module):
    """Codes (rows, 2) of user and movie to ratings (rows, 1)."""

    def __init__(self, codes: int, setting: Setting) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(codes, setting.hidden[0] + 1) for _ in range(2))
        self.dropout = nn.Dropout(setting.dropout)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, codes: Tensor) -> Tensor:
        user, movie = (self.dropout(table(column)) for table, column in zip(self.tables, codes.unbind(1), strict=True))
        return ((user[:, :-1] * movie[:, :-1]).sum(1) + user[:, -1] + movie[:, -1]).unsqueeze(1)
