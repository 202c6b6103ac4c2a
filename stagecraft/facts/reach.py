"""Whether the kernel limits a site's connections as its file declares."""

import shlex

from stagecraft.facts.reading import Fact

IN_FORCE = "as its file says"
OTHERWISE = "other rules than in its file"


class ReachFact(Fact[str]):
    """`IN_FORCE`, `OTHERWISE`, or empty if the table is not loaded. Loads the file in a separate
    network namespace, so that nft itself normalizes it with the user's present id."""

    def command(self, table: str, rules: str) -> str:
        listed = f"nft --stateless list table inet {shlex.quote(table)}"
        loaded = shlex.quote(f"nft -f {shlex.quote(rules)} && {listed}")
        return (
            f"if live=$({listed} 2>/dev/null); then"
            f' [ "$live" = "$(unshare --net sh -c {loaded} 2>/dev/null)" ]'
            f" && echo '{IN_FORCE}' || echo '{OTHERWISE}'; fi"
        )
