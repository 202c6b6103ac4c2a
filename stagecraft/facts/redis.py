"""The running settings of Redis instances, and their files."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, fields
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


class RedisFact(Fact[dict[str, Instance]]):
    def command(self, sites: Sequence[str]) -> str:
        of = Redis("$site")
        paths = f"socket={of.socket} configuration={of.configuration} acl={of.acl}"
        return f"paths() {{ {paths}; }}\n{self.script(sites=' '.join(sites))}"

    def process(self, output: list[str]) -> dict[str, Instance]:
        instances: defaultdict[str, Instance] = defaultdict(Instance)
        for kind, site, *words in fields(output):
            instance = instances[site]
            match kind:
                case "answers":
                    instance.answers = True
                case "refuses":
                    instance.refuses = True
                case "setting":
                    instance.settings[words[0]] = words[1]
                case "file-setting":
                    instance.declared_settings[words[0]] = words[1].strip('"')
                case "user" | "file-user":
                    users = instance.users if kind == "user" else instance.declared_users
                    _, name, *rules = words[0].split()
                    users[name] = rules
                case "category":
                    instance.categories.setdefault(words[0], set()).add(words[1])
        return instances
