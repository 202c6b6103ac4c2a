"""What every model of the settings is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(gt=0, lt=65536)]


class Setting(BaseModel):
    """Takes exactly the types that are declared: YAML has types of its own, none is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
