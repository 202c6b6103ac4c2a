"""The manifest of each environment on the server."""

from stagecraft.facts.reading import Fact
from stagecraft.manifest import Records, parse_manifests
from stagecraft.paths import MANIFESTS


class ManifestsFact(Fact[dict[str, Records]]):
    """The records of each environment applied here. No name and no truncated or forged line can
    pass for the beginning of another environment's records."""

    def command(self) -> str:
        return (
            f"cd {MANIFESTS} 2>/dev/null && for name in *; do"
            ' case "$name" in *[!A-Za-z0-9._-]*) continue ;; esac;'
            ' [ ! -f "$name" ] || { echo "== $name"; awk \'!/^== /\' "./$name"; }; done; true'
        )

    def process(self, output: list[str]) -> dict[str, Records]:
        return parse_manifests(output)
