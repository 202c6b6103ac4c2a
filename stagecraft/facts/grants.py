"""All accounts, roles and privileges in the database server."""

from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.facts.database import columns
from stagecraft.facts.reading import Fact, by_kind


@dataclass
class Holder:
    """A role, or an account with its `host` (`%`: any). `privileges` look like `SELECT on shop.*`;
    `roles` are granted ones. `loaded`: the server still accepts it, its table no longer has it."""

    user: str
    host: str
    role: bool = False
    loaded: bool = False
    privileges: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.user if self.role else f"{self.user}@{self.host}"

    @property
    def local(self) -> bool:
        return self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def grants(self) -> list[str]:
        return sorted(self.privileges | {f"role {role}" for role in self.roles})


@dataclass
class Grants:
    """`reachable` is False if the server is down or refuses root. `public` is what PUBLIC holds."""

    installed: bool = False
    reachable: bool = False
    schemas: list[str] = field(default_factory=list)
    holders: dict[str, Holder] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)


def hold(found: Grants, row: list[str]) -> None:
    grantee, schema, table, privilege, column, _ = row
    holder = found.holders.get(grantee) or found.holders.get(f"{grantee}@''")
    if holder is None and (schema, table) == ("*", "*") and "@" in grantee:
        user, _, host = grantee.rpartition("@")
        holder = found.holders[grantee] = Holder(user.strip("'"), host.strip("'"), loaded=True)
    if privilege == "USAGE":  # means no privileges
        return
    said = f"{privilege} on {schema}.{table}" + (f" ({column})" if column else "")
    if grantee.strip("'").partition("'")[0] == "PUBLIC":
        found.public.add(said)
    elif holder:
        holder.privileges.add(said)


class GrantsFact(Fact[Grants]):
    """What root sees through the socket."""

    def command(self, engine: str) -> str:
        server = ENGINES[engine]
        asked = server.ask(server.content + server.routines + server.roles, "--force")
        return f"if command -v {server.client} >/dev/null; then echo installed; {asked}; fi; true"

    def process(self, output: list[str]) -> Grants:
        found = by_kind(output)
        schemas = [columns(line)[0] for line in found["schema"]]
        grants = Grants(installed="installed" in found, reachable=bool(schemas), schemas=schemas)
        for user, host, _ in map(columns, found["account"]):
            grants.holders[f"'{user}'@'{host}'"] = Holder(user, host)
        for row in map(columns, found["privilege"]):
            hold(grants, row)
        roles = {columns(line)[0] for line in found["role"]}
        for holder in grants.holders.values():
            holder.role = holder.user in roles
        for account, role in map(columns, found["given"]):
            if account in grants.holders:
                grants.holders[account].roles.add(role)
        return grants
