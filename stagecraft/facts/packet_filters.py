"""All tables of packet filters in the kernel."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stagecraft.facts.reading import Fact

LEGACY = {"legacy": "iptables-legacy", "legacy6": "ip6tables-legacy"}
"""Families of legacy iptables, and the program of each."""

BLOCKING = {"match", "xt", "counter", "jump", "return", "drop", "reject"}
"""The elements of fail2ban's rules."""


@dataclass(frozen=True)
class Table:
    """An nft table or, of a `LEGACY` family, one of legacy iptables. `rules` counts its rules, 1 if
    they cannot be counted; `drops` are the chains with a drop policy; `fail2ban` means that every
    rule is in or jumps to one of its chains, and can only block."""

    family: str
    name: str
    rules: int = 0
    drops: tuple[str, ...] = ()
    fail2ban: bool = False

    @property
    def idle(self) -> bool:
        """Whether it has no effect, like the empty tables that iptables leaves."""
        return not self.rules and not self.drops


def nft_table(table: dict[str, Any], objects: Iterable[dict[str, Any]]) -> Table:
    family, name = table["family"], table["name"]
    mine = [
        (kind, value)
        for entry in objects
        for kind, value in entry.items()
        if value.get("family") == family and value.get("table") == name
    ]
    rules = [value for kind, value in mine if kind == "rule"]
    drops = [v["name"] for kind, v in mine if kind == "chain" and v.get("policy") == "drop"]
    return Table(
        family,
        name,
        len(rules),
        tuple(drops),
        fail2ban=all(map(only_blocks, rules))
        and (name == "f2b-table" or (bool(rules) and all(map(of_fail2ban, rules)))),
    )


def only_blocks(rule: dict[str, Any]) -> bool:
    """Whether the rule can only block, whatever its chain is called."""
    return all(part.keys() <= BLOCKING for part in rule["expr"])


def of_fail2ban(rule: dict[str, Any]) -> bool:
    """Whether it is in or jumps to a fail2ban chain, as with its iptables actions."""
    jumps = [part["jump"]["target"] for part in rule["expr"] if "jump" in part]
    return any(chain.startswith("f2b-") for chain in [rule["chain"], *jumps])


class FiltersFact(Fact[list[Table]]):
    def process(self, output: list[str]) -> list[Table]:
        tables: dict[tuple[str, str], Table] = {}
        for line in output:
            if line.startswith("{"):
                objects = json.loads(line)["nftables"]
                for table in (entry["table"] for entry in objects if "table" in entry):
                    tables[table["family"], table["name"]] = nft_table(table, objects)
            elif line.startswith(tuple(LEGACY)):
                family, name, rules, drops = line.split("\t")
                count = 1 if rules == "unknown" else int(rules)
                tables[family, name] = Table(family, name, count, tuple(drops.split()))
        return list(tables.values())
