"""The section of the data: how rows reach the training, and what is done to them on the way."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surefoot.recipe.section import Section, Strength

__all__ = ["Data"]

Probability = Annotated[float, Field(ge=0, le=1)]


class Data(Section):
    """How rows reach the training.

    ``workers`` processes read a dataset or a stream ahead; 0 reads it in the training's own. The result is the same for
    any number of them. A stream is shuffled ``shuffle_buffer`` rows at a time, which lie in memory; 0 keeps its own
    order. The other keys change the rows of a training step, and nothing that
    is evaluated: ``flip`` mirrors a picture with this probability; ``crop`` cuts it out anew after this many pixels of
    padding on every side; ``transform`` is a function of one's own, ``package.module:name``, from a batch of inputs to
    as many; ``noise`` is the standard deviation of what is added to float inputs, in their unit; ``mixup`` and
    ``cutmix`` are the α of the Beta(α, α) that a batch's share of a second row is drawn from. 0 is off.

    ``balance`` decides which rows an epoch visits: "oversample" each class equally often, the epoch as long as before;
    "stratify" every row once, and any stretch of an epoch with the classes' shares of the whole.

    ``standardize`` brings arrays of floats to mean 0 and standard deviation 1 by feature, or by channel of pictures;
    ``missing`` "mean" puts the mean where a value is missing. Both are fitted on the training part and hold for all.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    shuffle_buffer: Annotated[int, Field(ge=0)] = 0
    flip: Probability = 0.0
    crop: Annotated[int, Field(ge=0)] = 0
    transform: str | None = None
    noise: Strength = 0.0
    mixup: Strength = 0.0
    cutmix: Strength = 0.0
    balance: Literal["none", "oversample", "stratify"] = "none"

    standardize: bool = False
    missing: Literal["refuse", "mean"] = "refuse"

    @model_validator(mode="after")
    def _names_a_transform(self) -> Self:
        place, _, path = (self.transform or "a:b").partition(":")
        if not place or not path:
            raise ValueError(f'data.transform is "{self.transform}"; a function is named "package.module:name"')
        return self

    @property
    def augments(self) -> tuple[str, ...]:
        """The keys that change the rows of a training step."""
        return tuple(key for key in ("flip", "crop", "transform", "noise", "mixup", "cutmix") if getattr(self, key))

    @property
    def prepares(self) -> bool:
        """Whether the inputs of every part are changed before anything is trained."""
        return self.standardize or self.missing != "refuse"
