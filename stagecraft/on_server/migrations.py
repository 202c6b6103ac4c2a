"""Migrations of the database, with the login that may change its schema."""

import configparser
import re
from collections.abc import Iterable, Sequence

from stagecraft.on_server import sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

STATEMENT = re.compile(
    r"(?:^\s*⇂ |^\w+: |^\s*)((?:alter|create|drop|rename|truncate|delete|update)\b.*)", re.I
)
"""SQL as `artisan migrate --pretend` prints it, from Laravel 8 on."""

MIGRATOR = "migrator.env"
"""Has the migrator's password while it migrates."""

TABLE = re.compile(r"(?:create|alter) table (?:if not exists )?([`\"][^`\"]+)", re.I)

CONTRACTING = re.compile(
    r"""
      ^drop \s+ (?: table | view | database )
    | ^rename \s
    | ^truncate \s
    | ^delete \s
    | \b drop \s+ (?! (?: index | key | foreign | constraint | default | check | primary ) \b )
    | \b (?: rename | change | modify ) \s
    | \b (?: add | create ) \s+ (?: constraint \s+ \S+ \s+ )? unique \b
    | \b add \s+ (?! index | key | constraint | foreign | primary | fulltext | spatial )
      [^,]* \b not \s+ null
      (?! [^,]* \b (?: default | auto_increment ) )
    """,
    re.I | re.X,
)
"""What the release before does not survive: it reads what is gone, or writes what is refused. A
type that changes may have become narrower."""


def contracting(pretended: Iterable[str]) -> list[str]:
    """The SQL statements that the release before would not survive. It does not know tables that
    these migrations have just created."""
    new: set[str] = set()
    contracting = []
    for match in filter(None, map(STATEMENT.match, pretended)):
        statement = match[1].strip()
        table = TABLE.match(statement)
        if table and statement.lower().startswith("create"):
            new.add(table[1])
        elif CONTRACTING.search(plain(statement)) and not (table and table[1] in new):
            contracting.append(statement)
    return contracting


def plain(statement: str) -> str:
    """Without comments, and without what is in quotation marks or parentheses, such as commas."""
    text = re.sub(r"/\*.*?\*/", " ", statement)
    text = re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text.strip()


class Migrations:
    """The release is root's by now. Nothing that the running site has written is read as code: not
    its storage, and not its cache."""

    def __init__(self, site: Site, release: str, log: Log) -> None:
        self.site = site
        self.log = log
        self._path = site.releases / release

    def contracting(self) -> list[str]:
        """What of the pending migrations the present release would not survive."""
        pretended = Listening()
        self._run(f"{self.site.migrate} --pretend", pretended)
        if pretended.cut:
            raise Failed("the pending migrations are too long to be read before they run")
        return contracting(pretended.lines)

    def run(self) -> None:
        self.log.say(f"  $ {self.site.migrate}")
        self._run(self.site.migrate, self.log)

    def _run(self, command: str, log: Log) -> None:
        storage = Storage(self.site, self._path.name)
        variables = {
            **login(self.site),
            "APP_CONFIG_CACHE": "/nonexistent",
            "CACHE_DRIVER": "array",
            "CACHE_STORE": "array",
        }
        properties = [
            f"WorkingDirectory={self._path}",
            *storage.empty,
            *sandbox.OWN,
        ]
        with sandbox.environment_file(self.site.state / MIGRATOR, variables) as secret:
            words = ["sh", "-euc", f"{storage.made}; {command}"]
            sandbox.run(self.site, words, log, [*properties, *secret])


class Listening(Log):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def keep(self, line: bytes) -> None:
        self.lines.append(line.decode(errors="replace"))


def refuse(statements: Sequence[str]) -> None:
    """Raises Failed for contracting statements."""
    if statements:
        raise Failed(
            "the present release would not survive these migrations: "
            + "; ".join(statement[:200] for statement in statements)
            + ". Release first what works with both schemas, then these with --contract: after"
            " that, no rollback goes further back"
        )


def login(site: Site) -> dict[str, str]:
    """The migrator's, as the variables of Laravel's .env."""
    options = configparser.ConfigParser(interpolation=None)
    options.read(site.migrator)
    user, password = (options["client"][name].strip('"') for name in ("user", "password"))
    return {"DB_USERNAME": user, "DB_PASSWORD": password.replace("\\\\", "\\")}
