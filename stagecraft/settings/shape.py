"""Checks that YAML has the shape of its model, and says what would be right if not."""

from collections.abc import Callable, Collection
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stagecraft.nearest import did_you_mean
from stagecraft.settings.host import Host
from stagecraft.settings.models import Database, Machines, Server, ServerDatabase, Site, Sites
from stagecraft.yaml_files import KeyPath

Model = TypeVar("Model", bound=BaseModel)
Refuse = Callable[[KeyPath, str], None]

# Keys that an environment's file may not set: environments on one machine could then disagree.
_MACHINE_KEYS: dict[type[BaseModel], set[str]] = {
    Sites: {*Server.model_fields, *Machines.model_fields} - {"name"},
    Site: {*Server.model_fields} - {"name"},
    Database: {*ServerDatabase.model_fields},
}

# A key of environments' files that is kept with their server.
_ENVIRONMENTS_KEYS: dict[type[BaseModel], set[str]] = {Host: {"ci"}}


class Shape:
    """Turns data into models and passes problems to `refuse`. Paths are relative to `root`."""

    def __init__(self, root: Path, refuse: Refuse) -> None:
        self.root = root
        self.refuse = refuse

    def fit(self, model: type[Model], data: Any, **given: str) -> Model | None:
        """`data` as a `model`, or None. The file cannot set `given` fields."""
        if not isinstance(data, dict):
            self.refuse((), "must hold keys and values (`key: value`)")
            return None
        known = self._known(model, data, (), given)
        try:
            return model.model_validate(known | given, context={"root": self.root})
        except ValidationError as error:
            for detail in error.errors():
                self.refuse(_path(detail, given), _said(detail))
            return None

    def _known(
        self, model: type[BaseModel], data: dict[str, Any], path: KeyPath, given: Collection[str]
    ) -> dict[str, Any]:
        """`data` without unknown keys, so that the other keys are still checked."""
        fields = [name for name in model.model_fields if name not in given]
        known = {}
        for key, value in data.items():
            if key in _ENVIRONMENTS_KEYS.get(model, ()):
                self.refuse((*path, key), "is set in group_data/<environment>.yml")
            elif key in fields:
                kind = model.model_fields[key].annotation
                known[key] = self._known_below(kind, value, (*path, key))
            elif key in _MACHINE_KEYS.get(model, ()):
                message = "cannot be set for an environment: set it in group_data/all.yml"
                self.refuse((*path, key), message)
            else:
                self.refuse((*path, key), f"unknown key{did_you_mean(key, fields)}")
        return known

    def _known_below(self, kind: Any, value: Any, path: KeyPath) -> Any:
        if not isinstance(value, dict):
            return value
        if isinstance(kind, UnionType):  # for `Host | None` with a value
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self._known(kind, value, path, ())
        if get_origin(kind) is dict:
            inner = get_args(kind)[1]
            return {
                key: self._known_below(inner, item, (*path, key)) for key, item in value.items()
            }
        return value


def _path(detail: ErrorDetails, given: Collection[str]) -> KeyPath:
    """The path of the problem: a wrong key itself; the whole entry for a `given` field."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    return () if path[:1] and path[0] in given else path


def _said(detail: ErrorDetails) -> str:
    """pydantic's message in the terms of YAML."""
    value = detail["input"]
    match detail["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "string_type" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return f'must be text: quote it, "{value}"'
        case "string_type":
            return f"must be text, not {_written(value)}"
        case "list_type":
            return f"must be a list, not {_written(value)}"
        case "bool_type":
            return f"must be true or false, not {_written(value)}"
        case "int_type" if isinstance(value, str):
            return f"{detail['msg'].replace('Input should be', 'must be')}, not the text {value!r}"
        case "model_type" | "dict_type":
            return "must hold keys and values (`key: value`)"
        case _:
            return detail["msg"].replace("Input should be", "must be")


def _written(value: Any) -> str:
    match value:
        case None:
            return "null"
        case str():
            return f"the text {value!r}"
        case int() | float():
            return str(value)
    return "a list" if isinstance(value, list) else "keys and values"
