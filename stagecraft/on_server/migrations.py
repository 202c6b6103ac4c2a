"""Migrations of the database, with the login that may change its schema."""

import configparser
import re
from collections.abc import Iterable, Sequence

from stagecraft.on_server import sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

STATEMENT = re.compile(r"\s*⇂ (.*)|\w+: (.*)")
"""Where SQL begins in what `artisan migrate --pretend` prints, from Laravel 8 on."""

MIGRATION = re.compile(r"\s*\d{4}_\d\d_\d\d_")
"""Where it names the next migration."""

MIGRATOR = "migrator.env"
"""Has the migrator's password while it migrates."""

TABLE = re.compile(r"(?:create|alter) table (?:if not exists )?([`\"][^`\"]+)", re.I)

CONTRACTING = re.compile(
    r"""
      \b truncate \s
    | (?<! on\s ) \b delete \s
    | \b drop \s+ (?! (?: index | key | foreign | constraint | default | check | primary ) \b )
    | \b (?: rename | change | modify ) \s
    | \b add \s+ (?: column \s+ )? \[\]
    | \b (?: add | create ) \s+ (?: constraint \s+ \S+ \s+ )? unique \b
    | \b add \s+ (?! index | key | constraint | foreign | primary | fulltext | spatial )
      [^,]* \b not \s+ null
      (?! [^,]* \b (?: default | auto_increment ) )
    """,
    re.I | re.X,
)
"""What the release before does not survive: it reads what is gone, or writes what is refused. A
type that changes may have become narrower."""

LONG = 50_000
"""Characters of a statement that would take too long to be looked at closely."""

SUSPICIOUS = re.compile(r"\b(?:alter|drop|rename|truncate|delete)\b", re.I)

PARENTHESES = re.compile(r"(\b add (?: \s+ column )? )? \s* \( [^()]* \)", re.I | re.X)


def contracting(pretended: Iterable[str]) -> list[str]:
    """The SQL statements that the release before would not survive. It does not know tables that
    these migrations have just created."""
    new: set[str] = set()
    contracting = []
    for statement in statements(pretended):
        if len(statement) > LONG:
            contracting += [statement] * bool(SUSPICIOUS.search(statement))
            continue
        breaking = False
        for part in map(str.strip, plain(statement).split(";")):
            table = TABLE.match(part)
            if table and part.lower().startswith("create"):
                new.add(table[1])
            elif CONTRACTING.search(part) and not (table and table[1] in new):
                breaking = True
        contracting += [statement] * breaking
    return contracting


def statements(pretended: Iterable[str]) -> list[str]:
    """Each in one line, as Laravel 10 prints them."""
    found: list[list[str]] = []
    for line in pretended:
        if match := STATEMENT.match(line):
            found.append([match[1] or match[2] or ""])
        elif found and not MIGRATION.match(line):
            found[-1].append(line)
    return [" ".join(filter(None, map(str.strip, lines))) for lines in found]


def plain(statement: str) -> str:
    """Without comments, and without what is in quotation marks or parentheses, such as commas; an
    `add (...)` of columns becomes `add []`. A comment that begins with ! is carried out."""
    text = re.sub(r"/\*(?!M?!).*?\*/", " ", statement)
    text = re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)
    while (shorter := PARENTHESES.sub(lambda m: f"{m[1]} []" if m[1] else "", text)) != text:
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
