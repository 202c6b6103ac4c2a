"""Whether a site's current release has a cached configuration, and .env has changed since."""

from stagecraft.facts.reading import Fact

FRESH = "fresh"
STALE = "stale"


class CachedConfigurationFact(Fact[str]):
    """One of the above; empty if the current release is not recorded in `state`, like the
    placeholder, or caches none."""

    def command(self, home: str, state: str) -> str:
        return self.script(home=home, state=state)

    def process(self, output: list[str]) -> str:
        return output[0] if output else ""
