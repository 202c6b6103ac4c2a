"""Changes to an environment's file of secrets."""

from collections.abc import Callable, Iterator
from pathlib import Path

from stagecraft import age
from stagecraft.nearest import did_you_mean
from stagecraft.secrets.file import Name, SecretsFile
from stagecraft.secrets.generate import generate, unfit
from stagecraft.secrets.masked import Secret
from stagecraft.secrets.read import (
    keyring_for,
    missing,
    naming_the_recipients,
    recipients_of,
    secrets_file,
    wanted,
)
from stagecraft.settings import read
from stagecraft.yaml_files import SettingsError

# Asks a person for a value; None without a terminal or an answer.
Ask = Callable[[str, str], Secret | None]


class Editor:
    """Edits one environment's secrets. All methods raise SettingsError."""

    def __init__(self, environment: str, root: Path) -> None:
        self.root = root
        self.environment = read(environment, root)
        self.file: SecretsFile = secrets_file(self.environment, root)
        self.recipients = recipients_of(self.environment, root)

    def add_missing(self, ask: Ask) -> Iterator[str]:
        """Generates what only machines use, asks for the rest, and yields a line for each."""
        for site, key in self.missing():
            made = key in self.environment.site(site).generated_secrets
            value = generate(key) if made else ask(site, key)
            if value is not None:
                self.put(site, key, value)
                yield f"{site} {key}: {'generated' if made else 'set'}"

    def missing(self) -> list[Name]:
        return missing(self.environment, self.file)

    def state(self) -> str:
        """A summary: what is missing, and who can decrypt new values."""
        missing = ", ".join(f"{site} {key}" for site, key in self.missing())
        readers = ", ".join(map(age.owner, self.recipients))
        return (
            f"{self.file.source.file}: {f'still missing: {missing}' if missing else 'complete'}\n"
            f"New values are encrypted for: {readers}"
        )

    def put(self, site: str, key: str, value: Secret) -> None:
        """Sets one secret and writes the file at once, so that no answer is lost."""
        self._refuse_unknown(site, key)
        wrong = unfit(key, value.reveal())
        if wrong:
            raise SettingsError([self.file.source.problem((site, key), f"not changed: {wrong}")])
        if not self.file.is_labelled:
            self._encrypt_anew([name for name in self.file.names() if name != (site, key)])
        self.file.set(site, key, value, self.recipients)
        self.file.write()

    def recrypt(self) -> None:
        """Encrypts every value again, for the current recipients in all.yml."""
        self._encrypt_anew(self.file.names())
        self.file.write()

    def _encrypt_anew(self, names: list[Name]) -> None:
        with naming_the_recipients(self.environment, self.file):
            keyring = keyring_for(self.environment, self.root)
            self.file.encrypt_anew(names, keyring, self.recipients)

    def _refuse_unknown(self, site: str, key: str) -> None:
        sites = [site.key for site in self.environment.sites]
        keys = [key for owner, key in wanted(self.environment) if owner == site]
        for word, known in ((site, sites), (key, keys)):
            if word not in known:
                name = self.environment.name
                message = f"{name} has no such secret{did_you_mean(word, known)}"
                raise SettingsError([self.file.source.problem((site, key), message)])
