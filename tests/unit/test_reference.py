"""`example/group_data/all.yml`, the reference of all settings, agrees with the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

import pytest
import yaml

from stagecraft.settings import REPOSITORY, Host, Server, Site
from stagecraft.settings.models import Issuer, Machines, Sites
from stagecraft.settings.setting import Setting

pytestmark = pytest.mark.team_files

TEXT = (REPOSITORY / "example/group_data/all.yml").read_text()

SETTING = re.compile(r" *(- |[\w/-]+:( |$))")

FROM_ITS_PLACE = {"name", "key", "environment", "ci"}
"""What a server or a site is told by where it is written, or by an environment's file."""

SERVER: dict[str, Any] = {"name": "shop-1", "address": "shop.test"}
SITE: dict[str, Any] = {"key": "shop", "environment": "staging", "domain": "shop.test"}


def with_examples() -> dict[str, Any]:
    """The file with the settings that it shows in comments."""
    lines = (re.sub(r"^( {2,6})# ", r"\1", line) for line in TEXT.splitlines())
    lines = (re.sub(r"^#  (?=[\w-]+: )", "  ", line) for line in lines)
    settings = [line for line in lines if SETTING.match(line)]
    start = settings.index("servers:")
    kept = [
        re.sub(r": (\{\}|\[\]|null).*", ":", line) if depth(following) > depth(line) else line
        for line, following in pairwise([*settings[start:], "end:"])
    ]
    return dict(yaml.safe_load("\n".join(kept)))


def depth(line: str) -> int:
    return len(line) - len(line.lstrip())


REFERENCE = with_examples()


def nested(annotation: Any) -> list[type[Setting]]:
    """The models that a field's type consists of, as in `dict[Name, Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Setting):
        return [annotation]
    return [model for argument in get_args(annotation) for model in nested(argument)]


def models(
    model: type[Setting], shown: dict[str, Any], path: str
) -> Iterator[tuple[str, type[Setting], dict[str, Any]]]:
    """The model and all models within it, with what the file shows of each."""
    yield path, model, shown
    for key in model.model_fields.keys() & shown.keys():
        annotation = model.model_fields[key].annotation
        entries = shown[key].values() if "dict[" in str(annotation) else [shown[key]]
        for inner in nested(annotation):
            for entry in entries:
                yield from models(inner, entry, f"{path}.{key}")


ALL = [
    *models(Server, REFERENCE["servers"]["askpro-1"], "server"),
    *models(Site, REFERENCE["site_defaults"], "site"),
    *models(Issuer, REFERENCE["issuers"]["company"], "issuer"),
]


def test_it_shows_every_key() -> None:
    assert REFERENCE.keys() == Machines.model_fields.keys()
    for path, model, shown in ALL:
        elsewhere = FROM_ITS_PLACE if model in (Server, Site, Host) else set()
        assert shown.keys() == model.model_fields.keys() - elsewhere, path
    for key in Sites.model_fields:
        assert f"`{key}`" in TEXT
    assert "databases: {askproai_old: {present: false}}" in TEXT


def test_what_it_sets_is_the_default() -> None:
    written = yaml.safe_load(TEXT)
    server = written["servers"]["askpro-1"]
    assert Server.model_validate(server | SERVER) == Server.model_validate(SERVER)
    assert Site.model_validate(written["site_defaults"] | SITE) == Site.model_validate(SITE)
    assert written["issuers"] == Machines.model_fields["issuers"].default
    assert written["recipients"] == Machines.model_fields["recipients"].default


def test_what_it_shows_in_comments_is_the_default_or_an_example() -> None:
    differing = {
        f"{path}.{key}"
        for path, model, shown in ALL
        for key, field in model.model_fields.items()
        if key in shown and not nested(field.annotation) and field.default != shown[key]
        if not field.is_required() and field.default not in (None, [], {})
    }
    assert differing == {"server.ssh_user", "server.host.timezone"}  # their defaults are named


NAMED = re.compile(r"(\w+): .*# (?:.*; )?default: ([][\w/<>]+)(?=[.;\n])")


def test_the_defaults_that_comments_name() -> None:
    site = Site.model_validate(SITE)
    derived = {"<site>": site.key, "<environment>": site.environment}
    assert {
        key: re.sub("<\\w+>", lambda match: derived[match[0]], default)
        for key, default in NAMED.findall(TEXT)
    } == {
        "components": "[main]",
        "timezone": Host.model_fields["timezone"].default,
        "name": site.database.name,
        "user": site.database.user,
        "prefix": site.redis.prefix,
    }


def test_the_default_account() -> None:
    host = REFERENCE["servers"]["local"]["host"]
    alone, with_host = map(Server.model_validate, (SERVER, SERVER | {"host": host}))
    assert f"Default: {with_host.ssh_user} with `host`,\n" in TEXT
    assert f"# {alone.ssh_user} without\n" in TEXT
