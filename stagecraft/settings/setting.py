"""What every model of the settings is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0, le=100_000)]
"""Connections, processes, seconds: a database's max_connections has the lowest limit of all."""

Port = Annotated[int, Field(gt=0, lt=65536)]


class Setting(BaseModel):
    """Takes exactly the types that are declared: YAML has types of its own, none is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def setting_names() -> set[str]:
    """The keys of all models."""
    return {name for model in Setting.__subclasses__() for name in model.model_fields}
