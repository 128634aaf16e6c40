"""A Recipe: every choice of one training, validated, to and from TOML."""

from surefoot.recipe.batch import Batch
from surefoot.recipe.data import Data
from surefoot.recipe.given import as_recipe, sections_of
from surefoot.recipe.hardware import Hardware, Precision, PrecisionName
from surefoot.recipe.loss import LOSS_ARGUMENTS, Loss, LossName
from surefoot.recipe.network import Network
from surefoot.recipe.optimizer import Optimizer, OptimizerName, takes
from surefoot.recipe.recipe import Recipe
from surefoot.recipe.timing import Schedule, Stopping
from surefoot.recipe.values import parse_value
from surefoot.recipe.weights import Initialization, ParameterRule, Regularization

__all__ = [
    "LOSS_ARGUMENTS",
    "Batch",
    "Data",
    "Hardware",
    "Initialization",
    "Loss",
    "LossName",
    "Network",
    "Optimizer",
    "OptimizerName",
    "ParameterRule",
    "Precision",
    "PrecisionName",
    "Recipe",
    "Regularization",
    "Schedule",
    "Stopping",
    "as_recipe",
    "parse_value",
    "sections_of",
    "takes",
]
