"""The base of all models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0, le=100_000)]
"""Connections, processes, seconds. The limit is that of a database's max_connections."""

Port = Annotated[int, Field(gt=0, lt=65536)]


class Setting(BaseModel):
    """Accepts exactly the declared types: YAML has types, so none is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def setting_names() -> set[str]:
    return {name for model in Setting.__subclasses__() for name in model.model_fields}
