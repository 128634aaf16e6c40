"""The PyTorch backend: what ``workflows`` finds by name and drives as a ``Trainable``."""

from surefoot.engine.device_use import DeviceUse
from surefoot.engine.export.forms import Forms, call_times, quality, using_threads
from surefoot.engine.export.making import Making
from surefoot.engine.factory import TorchFactory
from surefoot.engine.parallel.leading import follow, join, lead
from surefoot.engine.predict import predict
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.snapshot import load_weights, weights_from_bytes, weights_to_bytes
from surefoot.engine.tensorboard import TensorBoardWriter

__all__ = [
    "DeviceUse",
    "Forms",
    "Making",
    "TensorBoardWriter",
    "TorchFactory",
    "TorchRun",
    "call_times",
    "follow",
    "join",
    "lead",
    "load_weights",
    "open_task",
    "predict",
    "quality",
    "using_threads",
    "weights_from_bytes",
    "weights_to_bytes",
]

open_task = TorchFactory
