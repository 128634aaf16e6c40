"""What is done to the rows of a training step: flips, crops, noise, a function of the user's own, mixup and cutmix.

The batch is augmented as a whole, before it is cut into parts, and what is drawn depends on the seed, the key and the
position alone: a resumed run draws the same, whoever read the rows.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot import seeds
from surefoot.engine.randomness import drawing_from
from surefoot.engine.rows.mixing import Mixed, cut_mixed, mixed
from surefoot.errors import RecipeError, TaskError, raised_at
from surefoot.recipe import Data

__all__ = ["Augmentation"]

_OF_PICTURES = ("flip", "crop", "cutmix")


class Augmentation:
    """Changes the batches of a training.

    Args:
        data: the recipe's section.
        seed: of the run.
        has_step: whether the task has a step of its own, which computes its loss from the batch by itself.

    Raises:
        RecipeError: a key does not go with the task, or the transform cannot be found.
    """

    def __init__(self, data: Data, *, seed: int, has_step: bool) -> None:
        self._data, self._seed = data, seed
        if has_step and (data.mixup or data.cutmix):
            raise RecipeError(
                f"data.{'mixup' if data.mixup else 'cutmix'} mixes the losses of two rows, and this task's own step "
                "keeps its loss to itself; give a loss instead of a step, or mix in the step"
            )
        self._transform = None if data.transform is None else _found(data.transform)

    @torch.no_grad()
    def __call__(self, batch: Any, position: int) -> Any:
        """The batch whose first sample stands at ``position``, changed; what was given stays as it was.

        Args:
            batch: (inputs, target) or (inputs, target, weights), whole: mixup pairs rows all over it.
            position: the clock in samples.

        Raises:
            RecipeError: a key cannot do anything with such inputs.
            TaskError: the batch is something else, or the transform fails.
        """
        data = self._data
        inputs, *rest = _inputs_and_rest(batch, data.augments[0])
        self._check(inputs)
        if data.crop:
            inputs = _cropped(inputs, data.crop, self._stream("crop", position))
        if data.flip:
            drawn = self._stream("flip", position).random(len(inputs)) < data.flip
            turned = torch.from_numpy(drawn).to(inputs.device).view(-1, *(1,) * (inputs.ndim - 1))
            inputs = torch.where(turned, inputs.flip(-1), inputs)
        if self._transform is not None:
            inputs = self._transformed(inputs, position)
        if data.noise:
            generator = torch.Generator().manual_seed(seeds.derive(self._seed, "noise", position))
            drawn_noise = torch.randn(inputs.shape, generator=generator)
            inputs = torch.add(inputs, drawn_noise.to(inputs), alpha=data.noise)
        if not (data.mixup or data.cutmix):
            return type(batch)((inputs, *rest)) if isinstance(batch, list) else (inputs, *rest)
        if not all(isinstance(value, Tensor) and len(value) == len(inputs) for value in rest) or not rest:
            raise TaskError("mixup and cutmix need a batch of tensors: (inputs, target) or (inputs, target, weights)")
        return self._mixed((inputs, *rest), position)

    def _mixed(self, batch: tuple[Tensor, ...], position: int) -> Mixed:
        """The batch through mixup or cutmix; where both are on, half the batches through each."""
        stream = self._stream("mix", position)
        cuts = bool(self._data.cutmix) and (not self._data.mixup or bool(stream.random() < 0.5))
        return cut_mixed(batch, self._data.cutmix, stream) if cuts else mixed(batch, self._data.mixup, stream)

    def _stream(self, key: str, position: int) -> Any:
        return seeds.stream(self._seed, key, position)

    def _check(self, inputs: Tensor) -> None:
        """Raise where a key can do nothing with such inputs."""
        data, shape = self._data, tuple(inputs.shape)
        for key in _OF_PICTURES:
            if getattr(data, key) and inputs.ndim not in {3, 4}:
                what = "rows of a table" if inputs.ndim == 2 else "no pictures"
                raise RecipeError(
                    f"data.{key} is for pictures, (rows, channels, height, width) or (rows, height, width); "
                    f"these inputs have shape {shape}, which are {what}: leave data.{key} out"
                )
        for key in ("noise", "mixup"):
            if getattr(data, key) and not inputs.is_floating_point():
                raise RecipeError(
                    f"data.{key} adds fractions to the inputs, and these are whole numbers ({inputs.dtype}), such as "
                    f"codes of words: leave data.{key} out, or give floats where they are quantities"
                )
        if data.crop and data.crop >= min(shape[-2:]):
            raise RecipeError(
                f"data.crop is {data.crop}, but the pictures have {shape[-2]} x {shape[-1]} pixels: a crop could be "
                f"all padding; give at most {min(shape[-2:]) - 1}, usual is an eighth of the side"
            )

    def _transformed(self, inputs: Tensor, position: int) -> Tensor:
        """The inputs through the user's own function, whose draws on the CPU begin from the position."""
        assert self._transform is not None
        name = self._data.transform
        try:
            with drawing_from(seeds.derive(self._seed, "transform", position)):
                found = self._transform(inputs)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise TaskError(f'data.transform is "{name}", and that failed at {raised_at(error)}') from error
        if not isinstance(found, Tensor) or not found.ndim or len(found) != len(inputs):
            what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise TaskError(
                f'data.transform is "{name}", which made {what} of a batch of {len(inputs)} rows; it must give a '
                "tensor of as many"
            )
        return found


def _inputs_and_rest(batch: Any, key: str) -> tuple[Any, ...]:
    """The parts of a batch, the first a tensor of inputs."""
    is_pair = isinstance(batch, list | tuple) and len(batch) > 1 and not hasattr(batch, "_fields")
    if not is_pair or not isinstance(batch[0], Tensor) or not batch[0].ndim:
        raise TaskError(
            f"data.{key} needs batches (inputs, target) whose inputs are a tensor; this task's are something else: "
            "augment in the dataset's __getitem__, or in the step"
        )
    return tuple(batch)


def _cropped(inputs: Tensor, padding: int, stream: Any) -> Tensor:
    """Every picture cut out anew, as large as before, somewhere from itself with zeros around it."""
    pictures = inputs if inputs.ndim == 4 else inputs.unsqueeze(1)
    height, width = pictures.shape[-2:]
    padded = functional.pad(pictures, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (rows, channels, places, places, height, width)
    tops, lefts = torch.from_numpy(stream.integers(0, 2 * padding + 1, size=(2, len(inputs)))).to(inputs.device)
    return windows[torch.arange(len(inputs), device=inputs.device), :, tops, lefts].reshape(inputs.shape)


def _found(name: str) -> Any:
    """What ``package.module:name`` names: a function of a batch, or a class that makes one when called.

    Raises:
        RecipeError: it cannot be imported or is neither.
    """
    place, _, path = name.partition(":")
    try:
        found = functools.reduce(getattr, path.split("."), importlib.import_module(place))
        found = found() if isinstance(found, type) else found
    except Exception as error:
        raise RecipeError(
            f'data.transform is "{name}", which cannot be had ({raised_at(error)}); '
            "the module must be installed or on PYTHONPATH"
        ) from error
    if not callable(found):
        raise RecipeError(f'data.transform is "{name}", which is not a function from a batch of inputs to as many')
    return found.train() if isinstance(found, nn.Module) else found
