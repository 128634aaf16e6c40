"""Which device a training runs on, how its model lies there, and what that device can do."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from surefoot.errors import RecipeError, TaskError, raised_at
from surefoot.recipe import Hardware, Recipe

__all__ = ["AUTOCAST", "device_of", "place", "ready"]

# What a name of a precision casts to.
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def device_of(hardware: Hardware) -> torch.device | None:
    """The device that a recipe asks for; None where the model's builder decides.

    Raises:
        RecipeError: this machine has no such device.
    """
    wanted = hardware.device
    if wanted is None:
        return None
    here = _here()
    if wanted == "auto":
        return torch.device(here[-1])
    kind, _, number = wanted.partition(":")
    if kind not in here or (number and int(number) >= torch.cuda.device_count()):
        shown = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if number and "cuda" in here else here
        raise RecipeError(
            f'hardware.device is "{wanted}", which PyTorch does not find here; there is {", ".join(shown)}: '
            'set one of these, or "auto"'
        )
    return torch.device(wanted)


def ready(hardware: Hardware) -> None:
    """Wake a GPU before anything is drawn: a generator that does not exist yet can neither be seeded nor put aside.

    Raises:
        RecipeError: this machine has no such device.
    """
    device = device_of(hardware)
    if device is not None and device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call] # torch leaves it unannotated


def place(model: nn.Module, recipe: Recipe) -> None:
    """Put a model on the recipe's device, its convolutions in the recipe's layout; it stays the same object.

    Raises:
        RecipeError: this machine has no such device, or the device cannot do what the recipe asks for.
        TaskError: the model's weights are not float32, and another precision is asked for.
    """
    device = device_of(recipe.hardware)
    if device is not None:
        model.to(device)
    _require_supported(model, recipe)
    if recipe.hardware.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # its overloads leave it out


def _require_supported(model: nn.Module, recipe: Recipe) -> None:
    device = next(model.parameters()).device
    if recipe.precision.name != "float32":
        _require_float32(model, recipe.precision.name)
        _require_precision(device, recipe.precision.name)
    if recipe.hardware.channels_last and not any(parameter.ndim == 4 for parameter in model.parameters()):
        raise RecipeError(
            "hardware.channels_last is for weights of four dimensions, those of 2-D convolutions; this model has none: "
            "leave it out"
        )
    if recipe.hardware.pin_memory and device.type != "cuda":
        raise RecipeError(
            f"hardware.pin_memory speeds up copies to a GPU, and this model is on {device}: leave it out, "
            'or set hardware.device = "cuda"'
        )
    if recipe.hardware.compile:
        _require_compiler(device)


def _here() -> list[str]:
    """The kinds of device there are, the fastest last."""
    kinds = {"mps": torch.backends.mps.is_available(), "cuda": torch.cuda.is_available()}
    return ["cpu", *(kind for kind, is_here in kinds.items() if is_here)]


def _require_float32(model: nn.Module, name: str) -> None:
    others = {value.dtype for value in model.parameters() if value.is_floating_point()} - {torch.float32}
    if others:
        found = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in others))
        raise TaskError(
            f'precision.name "{name}" casts from float32 weights, and this model has weights in {found}: '
            'build it in float32, or set precision.name = "float32"'
        )


def _require_precision(device: torch.device, name: str) -> None:
    if not _casts(device, name):
        works = ["float32", *(other for other in AUTOCAST if _casts(device, other))]
        raise RecipeError(
            f'precision.name is "{name}", which PyTorch cannot compute with on {device}; '
            f"what works there: {', '.join(works)}"
        )


def _casts(device: torch.device, name: str) -> bool:
    """Whether autocast turns a small product into this precision there, and its gradient comes back."""
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # PyTorch warns and goes on in float32
            weight = torch.ones(2, 2, device=device, requires_grad=True)
            with torch.autocast(device.type, dtype=AUTOCAST[name]):
                product = torch.ones(2, 2, device=device) @ weight
            product.float().sum().backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
    except RuntimeError:
        return False
    return product.dtype == AUTOCAST[name]


def _require_compiler(device: torch.device) -> None:
    """Compile next to nothing: PyTorch finds out only then that there is no compiler."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's compiler uses what PyTorch deprecates
            torch.compile(_next_to_nothing)(torch.zeros(2, device=device))
    except Exception as error:
        kind, reason = "Triton" if device.type == "cuda" else "a C++ compiler", raised_at(error).split(" Set TORCH")[0]
        raise RecipeError(
            f"hardware.compile needs {kind} that works on {device.type}: {reason}; install one, or leave "
            "hardware.compile out"
        ) from error


def _next_to_nothing(values: torch.Tensor) -> torch.Tensor:
    return values + 1.0
