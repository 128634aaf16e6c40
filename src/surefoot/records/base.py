"""What all records share: frozen, checked, and not-a-number as null in JSON."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["SCHEMA_VERSION", "Number", "Record"]

SCHEMA_VERSION = 1
"""The version of the records' form, which ``result.json`` and a study carry."""

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class Record(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")
