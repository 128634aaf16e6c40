"""The section of the data: how rows reach the training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from surefoot.recipe.section import Section

__all__ = ["Data"]


class Data(Section):
    """How rows reach the training: ``workers`` processes read a dataset ahead; 0 reads it in the training's own.

    The result is the same for any number of them.
    """

    workers: Annotated[int, Field(ge=0)] = 0
