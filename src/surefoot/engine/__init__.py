"""The PyTorch backend: what ``workflows`` finds by name and drives as a ``Trainable``."""

from surefoot.engine.device_use import DeviceUse
from surefoot.engine.factory import TorchFactory
from surefoot.engine.predict import predict
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.snapshot import load_weights
from surefoot.engine.tensorboard import TensorBoardWriter

__all__ = ["DeviceUse", "TensorBoardWriter", "TorchFactory", "TorchRun", "load_weights", "open_task", "predict"]

open_task = TorchFactory
