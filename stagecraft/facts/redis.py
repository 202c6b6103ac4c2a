"""The running settings of Redis instances, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.services import Redis


@dataclass
class Instance:
    """A site's instance. `settings` are the effective ones; `users` has the ACL rules by name;
    `declared_…` are from its files; `categories` are the commands in the categories that they
    mention. `answers`: we may read; `refuses`: it does not accept our login."""

    answers: bool = False
    refuses: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    declared_settings: dict[str, str] = field(default_factory=dict)
    declared_users: dict[str, list[str]] = field(default_factory=dict)
    categories: dict[str, set[str]] = field(default_factory=dict)


def parse_instances(lines: list[str]) -> dict[str, Instance]:
    """Reads tab-separated lines."""
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
    """The running instances of the given sites."""

    parse = staticmethod(parse_instances)

    def command(self, sites: Sequence[str]) -> str:
        of = Redis("$site")
        paths = f"socket={of.socket} configuration={of.configuration} acl={of.acl}"
        return f"paths() {{ {paths}; }}\n{self.script(sites=' '.join(sites))}"
