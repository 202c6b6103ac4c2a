"""How Redis instances run, and what their files say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.services import Redis


@dataclass
class Instance:
    """One site's. `settings` are its effective ones and `users` its ACL, the rules of each by name;
    `declared_…` are those of its files, and `categories` the commands in those that they mention.
    `answers` says that it lets us look, `refuses` that it does not know us."""

    answers: bool = False
    refuses: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    declared_settings: dict[str, str] = field(default_factory=dict)
    declared_users: dict[str, list[str]] = field(default_factory=dict)
    categories: dict[str, set[str]] = field(default_factory=dict)


def parse_instances(lines: list[str]) -> dict[str, Instance]:
    """Reads the tab-separated lines of `redis.sh`."""
    instances: dict[str, Instance] = {}
    for line in lines:
        kind, site, *words = line.split("\t")
        instance = instances.setdefault(site, Instance())
        if kind == "answers":
            instance.answers = True
        elif kind == "refuses":
            instance.refuses = True
        elif kind == "setting":
            instance.settings[words[0]] = words[1]
        elif kind == "file-setting":
            instance.declared_settings[words[0]] = words[1].strip('"')
        elif kind in ("user", "file-user"):
            users = instance.users if kind == "user" else instance.declared_users
            _, name, *rules = words[0].split()
            users[name] = rules
        elif kind == "category":
            instance.categories.setdefault(words[0], set()).add(words[1])
    return instances


class RedisFact(Fact[dict[str, Instance]]):
    """The `Instance` of each of these sites that has one and runs."""

    parse = staticmethod(parse_instances)

    def command(self, sites: Sequence[str]) -> str:
        of = Redis("$site")
        paths = f"socket={of.socket} configuration={of.configuration} acl={of.acl}"
        return f"paths() {{ {paths}; }}\n{self.script(sites=' '.join(sites))}"
