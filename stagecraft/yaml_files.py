"""Reads YAML together with the file and line of every key."""

import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.exceptions import CliError  # type: ignore[import-untyped]

from stagecraft.local_files import not_text

KeyPath = tuple[str | int, ...]

TAKEN_FOR_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Booleans in YAML 1.1. Unquoted ones may be meant as such; to PHP, as text, all are true."""

MOST_DIGITS = 18
"""Longer numbers may not fit into 64 bits."""


@dataclass(frozen=True, order=True)
class Location:
    """A line in a file, and its key. Line 0 means the whole file."""

    file: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        line = str(self.line) if self.line else ""
        return ":".join(part for part in (self.file, line) if part)


@dataclass(frozen=True, order=True)
class Problem:
    """One problem, and its place."""

    place: Location
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.place.key, self.message) if part)


class SettingsError(PyinfraError, CliError):  # type: ignore[misc]
    """All problems, one per line, sorted by file and line. It is also a click error, so that
    pyinfra's CLI prints it without a traceback and exits with 1."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        count = [f"{len(self.problems)} problems in the settings:"] * (len(self.problems) != 1)
        super().__init__("\n  ".join([*count, *map(str, self.problems)]))


@dataclass
class YamlFile:
    """A YAML file: its data, and the line of each key."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Location:
        """The place of `path`, or of its nearest parent for a missing key."""
        return Location(self.file, self.lines.get(self.known(path), 1), written(path))

    def known(self, path: KeyPath) -> KeyPath:
        """The longest prefix of `path` that exists in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def problem(self, path: KeyPath, message: str) -> Problem:
        return Problem(self.place(path), message)


def written(path: KeyPath) -> str:
    """A path as a person writes it: `sites.askpro.aliases[0]`."""
    keys = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return keys.removeprefix(".")


def read_yaml(path: Path, root: Path) -> YamlFile:
    """The mapping in the file `path`; errors name it relative to `root`. Raises SettingsError for
    invalid YAML, for anything but a mapping, and for duplicate keys."""
    file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    if wrong := not_text(path):
        raise SettingsError([Problem(Location(file), wrong)])
    return deepcopy(_parsed(file, path.read_text(encoding="utf-8")))


@cache
def _parsed(file: str, text: str) -> YamlFile:
    """Cached, because a run reads the same file several times and YAML is slow."""
    reading = _YamlReader(YamlFile(file))
    try:
        reading.read(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        reading.refuse(line, (), f"this cannot be read: {error.problem}")
    except yaml.YAMLError as error:
        reading.refuse(0, (), f"this cannot be read: {error}")
    except RecursionError:
        reading.refuse(0, (), "this cannot be read: its keys and lists are nested too deeply")
    if reading.problems:
        raise SettingsError(reading.problems)
    return reading.source


class _CoreLoader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does. With YAML 1.1, PyYAML reads "no" (a language) as False,
    `9:15:00` as 33300 and 2026-01-01 as a date. Aliases are refused, because errors could not name
    a unique place for their values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            message = "an alias (*name): write out the value, or set it in site_defaults in all.yml"
            raise yaml.composer.ComposerError(None, None, message, mark)
        return super().compose_node(parent, index)


_CoreLoader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?", list("-+0123456789")),
):
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


class _YamlReader:
    """Turns PyYAML's nodes into data, and collects lines and problems."""

    def __init__(self, source: YamlFile) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def refuse(self, line: int, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(Location(self.source.file, line, written(path)), message))

    def read(self, text: str) -> None:
        node = yaml.compose(text, Loader=_CoreLoader)
        if isinstance(node, yaml.MappingNode):
            self.source.data = self._mapping(node, ())
        elif node is not None:
            self.refuse(_line(node), (), "must hold keys and values (`key: value`)")

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, n)) for n, item in enumerate(node.value)]
        return self._scalar(cast(yaml.ScalarNode, node), path)

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.source.lines[path] = _line(node)
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*path, key)
            if not isinstance(key_node, yaml.ScalarNode) or not _is_text(key):
                self.refuse(_line(key_node), path, "has a key that is not text")
                continue
            if key in data:
                first = self.source.lines[here]
                self.refuse(_line(key_node), here, f"is defined twice: see line {first}")
                continue
            self.source.lines[here] = _line(key_node)
            data[key] = self._value(value_node, here)
        return data

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text: str = node.value
        if not _is_text(text):
            self.refuse(
                _line(node), path, "has a surrogate (\\ud800 to \\udfff), which is not text"
            )
            return None
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str" if node.style is None and text.lower() in TAKEN_FOR_BOOLEANS:
                meant = TAKEN_FOR_BOOLEANS[text.lower()]
                advice = f'{text} is text, not {meant}: write {meant}, or quote it, "{text}"'
                self.refuse(_line(node), path, advice)
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if len(text) > MOST_DIGITS:
                self.refuse(_line(node), path, f"has more than {MOST_DIGITS} digits: quote it")
            case "int":
                return int(text)
            case "float" if str(float(text)) == text:
                return float(text)
            case "float":
                advice = f'{text} would be read as {float(text)}: quote it, "{text}"'
                self.refuse(_line(node), path, advice)
            case _:
                self.refuse(_line(node), path, f"has the YAML tag {node.tag}: omit it")
        return None


def _is_text(text: str) -> bool:
    """Whether it can be encoded. YAML can escape half of a UTF-16 pair, which cannot."""
    return not re.search("[\ud800-\udfff]", text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
