"""What runs have recorded on the server: the manifest of each environment."""

from __future__ import annotations

from stagecraft.facts.reading import Fact
from stagecraft.manifest import Records, parse_manifests
from stagecraft.paths import MANIFESTS


class ManifestsFact(Fact[dict[str, Records]]):
    """The records of each environment that has been applied on this server. Neither a name nor a
    line, cut off or forged, can pass for the beginning of another environment's."""

    parse = staticmethod(parse_manifests)

    def command(self) -> str:
        return (
            f"cd {MANIFESTS} 2>/dev/null && for name in *; do"
            ' case "$name" in *[!A-Za-z0-9._-]*) continue ;; esac;'
            ' [ ! -f "$name" ] || { echo "== $name"; awk \'!/^== /\' "./$name"; }; done; true'
        )
