"""What others run and keep on the server: ports, database servers, vhosts, users, files."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.facts.reading import Fact, by_kind, fields

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
    """A Unix group; `members` includes users whose primary group it is, except its namesake."""

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
    """A file that nginx loads and that is not ours; its `listen` and `server_name` arguments."""

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


def vhosts(lines: Iterable[str]) -> list[Vhost]:
    """Reads checksums, then each file and its directives."""
    sums: dict[str, str] = {}
    found: list[Vhost] = []
    for kind, *words in fields(lines):
        match kind:
            case "sum":
                sums[words[1]] = words[0]
            case "vhost":
                found.append(Vhost(words[0], sums[words[0]]))
            case "listen":
                found[-1].listens.append(words[0])
            case "server_name":
                found[-1].names += [name.strip("\"'").lower() for name in words]
    return [vhost for vhost in found if vhost.listens or vhost.names]


class NeighboursFact(Fact[Neighbours]):
    """For sites with these names, homes and files, and for this database engine."""

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

    def process(self, output: list[str]) -> Neighbours:
        found = by_kind(output)
        units = dict(fields(found["unit"]))
        listeners = [
            Listener(address.removeprefix("/var"), *process)
            for address, *process in fields(found["listener"])
        ]
        for listener in listeners:
            listener.unit = units.get(listener.pid, "")
        return Neighbours(
            listeners=listeners,
            packages=set(found["package"]),
            users=dict(fields(found["user"])),
            groups={
                name: Group(int(gid), tuple(members.split()))
                for name, gid, members in fields(found["group"])
            },
            homes={
                path: Home(kind, owner, empty=content == "empty")
                for path, kind, owner, content in fields(found["home"])
            },
            files=dict.fromkeys(found["ours"], True) | dict.fromkeys(found["foreign"], False),
            vhosts=vhosts(output),
            lineages={name: root.rstrip(",") for name, root in fields(found["lineage"])},
            as_nginx=[
                f"{name} of {unit}" if unit != "-" else name
                for name, unit in fields(found["as-nginx"])
            ],
            names_hash_bucket="".join(found["server_names_hash_bucket_size"][-1:]),
        )
