"""What acts inside the database server besides its accounts' statements: code that is stored there,
libraries that it has loaded, other servers, and how the engine's own accounts log in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.engines.engine import SYS_ROUTINES
from stagecraft.facts.database import authentication, columns, literal
from stagecraft.facts.reading import Fact, by_kind


@dataclass(frozen=True)
class Code:
    """A routine, trigger, event or view. It runs with the rights of `definer`, `user@host`."""

    kind: str
    schema: str
    name: str
    definer: str


@dataclass
class Insides:
    """`authentication` says how each account, `user@host`, may log in. `proxies` are accounts and
    the account that they may act as. `plugins` are their names by library, without those that the
    options load; `functions` are loaded ones with their library; `servers` and `replicated` are the
    addresses of other servers by the name that they have here."""

    authentication: dict[str, tuple[str, ...]] = field(default_factory=dict)
    proxies: list[tuple[str, str]] = field(default_factory=list)
    code: list[Code] = field(default_factory=list)
    plugins: dict[str, list[str]] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    replicated: dict[str, str] = field(default_factory=dict)


class DatabaseInsidesFact(Fact[Insides]):
    """Empty if the server does not run. `own` are the accounts that may define code in a schema, so
    that a site that has thousands of views sends none. Reads the options only if a library is
    loaded that the engine's package does not load."""

    def command(self, engine: str, own: Mapping[str, Sequence[str]]) -> str:
        server = ENGINES[engine]
        authors = {schema: [server.author] for schema in sorted(server.schemas)} | dict(own)
        pairs = (
            f"({literal(schema)}, {literal(author)})"
            for schema, its in authors.items()
            for author in its
        )
        query = server.insides.format(
            own=", ".join(pairs), sys=", ".join(map(literal, SYS_ROUTINES.split()))
        )
        ask = server.ask(server.authentication + query, "--force")
        return self.script(ask=ask, options=server.options)

    def process(self, output: list[str]) -> Insides:
        end = output.index("replicas") if "replicas" in output else len(output)
        found = {kind: [*map(columns, lines)] for kind, lines in by_kind(output[:end]).items()}
        rows = [line for line in output[end + 1 :] if line]
        loaded = {library.removesuffix(".so") for library, *_ in found.get("loads", ())}
        insides = Insides(
            authentication={
                f"{user}@{host}": authentication(how)
                for user, host, how in found.get("authentication", ())
            },
            proxies=[
                (f"{user}@{host}", f"{other}@{others_host}")
                for user, host, other, others_host in found.get("proxy", ())
            ],
            code=[Code(*row) for row in found.get("code", ())],
            functions=dict(found.get("function", ())),
            servers=dict(found.get("server", ())),
            # Of all columns of both engines' answers, the first and the fourth.
            replicated={row[0]: row[3] for row in map(columns, rows)},
        )
        for name, library in found.get("plugin", ()):
            if library.removesuffix(".so") not in loaded:
                insides.plugins.setdefault(library, []).append(name)
        return insides
