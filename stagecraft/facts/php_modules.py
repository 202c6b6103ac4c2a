"""PHP's modules as phpenmod and phpdismod left them."""

import re
from typing import NamedTuple

from stagecraft.facts.reading import Fact, rows

CONF_D = re.compile(r"/etc/php/([^/]+)/([^/]+)/conf\.d")
LINK = re.compile(rf"{CONF_D.pattern}/\d+-(.+)\.ini")
REGISTERED = re.compile(r"/var/lib/php/modules/([^/]+)/registry/(.+)")
DISABLED = re.compile(r"/var/lib/php/modules/([^/]+)/([^/]+)/disabled_by_maint/(.+)")


class Module(NamedTuple):
    """`sapi` is what loads it: `fpm` or `cli`."""

    version: str
    sapi: str
    name: str


class PhpModules(NamedTuple):
    """`enabled` are loaded from conf.d; `by_packages` those that packages have enabled: all that
    they have registered, for everything that has a conf.d."""

    enabled: frozenset[Module] = frozenset()
    by_packages: frozenset[Module] = frozenset()


class PhpModulesFact(Fact[PhpModules]):
    def command(self) -> str:
        return (
            "{ find /etc/php/*/*/conf.d -maxdepth 0 -printf '%p\\0';"
            " find /etc/php/*/*/conf.d -lname '*/mods-available/*' -printf '%p\\0';"
            " find /var/lib/php/modules -type f -printf '%p\\0';"
            " } 2>/dev/null | base64 --wrap=0"
        )

    def process(self, output: list[str]) -> PhpModules:
        paths = [path for (path,) in rows(output, 1)]
        links, disabled = (
            frozenset(Module(*match.groups()) for match in map(each.fullmatch, paths) if match)
            for each in (LINK, DISABLED)
        )
        sapis = [match.groups() for match in map(CONF_D.fullmatch, paths) if match]
        registered = {
            Module(version, sapi, match[2])
            for match in map(REGISTERED.fullmatch, paths)
            if match
            for version, sapi in sapis
            if version == match[1]
        }
        return PhpModules(links, frozenset(registered - disabled))
