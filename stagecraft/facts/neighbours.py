"""What others run and keep on the server: ports, database servers, vhosts, users, files."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.facts.reading import Fact

LOCALHOST = ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]")

OPENS_SOCKETS = (
    "runs as www-data, like nginx, and can open the PHP socket of every site: give it a user of its"
    " own"
)
"""File permissions cannot distinguish the two."""


@dataclass
class Listener:
    """A process that accepts connections at `address` (host and port, or a socket's path), with its
    pid and systemd unit. All three are empty if the kernel does not tell."""

    address: str
    process: str = ""
    pid: str = ""
    unit: str = ""

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0]

    @property
    def local(self) -> bool:
        """Whether it is unreachable from outside."""
        return self.address.startswith("/") or self.host in LOCALHOST

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]


@dataclass(frozen=True)
class Group:
    """A Unix group; `members` includes users with it as primary group, except the user of the same
    name."""

    gid: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Home:
    """What exists at the path of a site's home; `owner` is user:group."""

    kind: str
    owner: str
    empty: bool = False


@dataclass
class Vhost:
    """A file that nginx loads and that is not ours, with the arguments of its `listen` and
    `server_name`."""

    path: str
    sha256: str = ""
    listens: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        """Its addresses with ports. The default of a server without `listen` is port 80."""
        said = self.listens or ["80"]
        return [with_port(address) for address in said if not address.startswith("unix:")]


@dataclass
class Neighbours:
    """`packages` are database servers' packages; `users` maps users with a site's name to their
    homes. `files` says for each given path with a file whether it has our mark. `lineages` are
    certbot's with a site's name, with their webroot (empty for other plugins). `as_nginx` lists
    other processes of www-data, with their units. `names_hash_bucket` is nginx's
    `server_names_hash_bucket_size`."""

    listeners: list[Listener] = field(default_factory=list)
    packages: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)
    files: dict[str, bool] = field(default_factory=dict)
    vhosts: list[Vhost] = field(default_factory=list)
    lineages: dict[str, str] = field(default_factory=dict)
    as_nginx: list[str] = field(default_factory=list)
    names_hash_bucket: str = ""


def with_port(address: str) -> str:
    """Completes the address of a `listen`: `443` → `*:443`, `[::]` → `[::]:80`."""
    if address.isdigit():
        return f"*:{address}"
    return address if ":" in address.rpartition("]")[2] else f"{address}:80"


def parse_neighbours(lines: Iterable[str]) -> Neighbours:
    """Reads tab-separated lines."""
    found = Neighbours()
    sums: dict[str, str] = {}
    for line in lines:
        kind, *words = line.split("\t")
        if kind == "sum":
            sums[words[1]] = words[0]
        elif kind == "vhost":
            found.vhosts.append(Vhost(words[0], sums[words[0]]))
        elif kind == "listen":
            found.vhosts[-1].listens.append(words[0])
        elif kind == "server_names_hash_bucket_size":
            found.names_hash_bucket = words[0]
        elif kind == "server_name":
            found.vhosts[-1].names += [name.strip("\"'").lower() for name in words]
        else:
            add(found, kind, words)
    found.vhosts = [vhost for vhost in found.vhosts if vhost.listens or vhost.names]
    return found


def add(found: Neighbours, kind: str, words: list[str]) -> None:
    if kind == "listener":
        found.listeners.append(Listener(words[0].removeprefix("/var"), *words[1:]))
    elif kind == "unit":
        for listener in found.listeners:
            if listener.pid == words[0]:
                listener.unit = words[1]
    elif kind == "package":
        found.packages.add(words[0])
    elif kind == "user":
        found.users[words[0]] = words[1]
    elif kind == "group":
        found.groups[words[0]] = Group(int(words[1]), tuple(words[2].split()))
    elif kind == "home":
        found.homes[words[0]] = Home(words[1], words[2], empty=words[3] == "empty")
    elif kind in ("ours", "foreign"):
        found.files[words[0]] = kind == "ours"
    elif kind == "as-nginx":
        found.as_nginx.append(f"{words[0]} of {words[1]}" if words[1] != "-" else words[0])
    elif kind == "lineage":
        found.lineages[words[0]] = words[1].rstrip(",")


class NeighboursFact(Fact[Neighbours]):
    """For sites with these names, homes and files, and for this database engine."""

    parse = staticmethod(parse_neighbours)

    def command(self, names: list[str], homes: list[str], files: list[str], engine: str) -> str:
        database = ENGINES[engine]
        return self.script(
            names=" ".join(names),
            homes=" ".join(homes),
            files=" ".join(files),
            database_socket=database.socket,
            database_ports=" ".join(map(str, database.ports)),
            database_packages=" ".join(database.packages),
        )
