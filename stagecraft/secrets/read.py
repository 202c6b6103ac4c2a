"""Reads an environment's secrets, and generates those of a throwaway server."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pyinfra import logger

from stagecraft import age
from stagecraft.secrets.file import COMMAND, Name, SecretsFile
from stagecraft.secrets.generate import generate
from stagecraft.secrets.masked import Secret
from stagecraft.settings import REPOSITORY, Environment, read
from stagecraft.yaml_files import Location, Problem, SettingsError, read_yaml

STAND_IN = "a secret that nobody has opened"
"""The placeholder for a secret in a plan that needs none."""

UNLABELLED = (
    "%s was written by an earlier version: anybody who can change the file could swap its values "
    "unnoticed. Run `%s` and commit the file"
)


@cache
def secrets_for(environment_name: str, root: Path = REPOSITORY) -> dict[str, dict[str, Secret]]:
    """Every secret of the environment's sites, by site key and name, decrypted once per process.
    Raises SettingsError for a missing file or value, and without a private key that decrypts
    them."""
    environment = read(environment_name, root)
    file = secrets_file(environment, root)
    if environment.server.throwaway:
        try:
            _make_throwaway(environment, file, root)
        except OSError as error:
            message = f"cannot be written: {error.strerror} ({error.filename})"
            raise SettingsError([Problem(Location(file.source.file), message)]) from None
    _refuse_missing(environment, file)
    return _opened(environment, file, root)


def stand_ins(environment: Environment) -> dict[str, dict[str, Secret]]:
    """Placeholders, for a plan that is made without a key and never executed."""
    found: dict[str, dict[str, Secret]] = {}
    for site, key in wanted(environment):
        found.setdefault(site, {})[key] = Secret(STAND_IN)
    return found


def missing(environment: Environment, file: SecretsFile) -> list[Name]:
    """The (site, key) of each secret that the environment needs and the file lacks."""
    return [name for name in wanted(environment) if not file.has(*name)]


def secrets_file(environment: Environment, root: Path) -> SecretsFile:
    """This environment's secrets: in the repository, or in .stagecraft/ for a throwaway server."""
    folder = root / ".stagecraft/secrets" if environment.server.throwaway else root / "secrets"
    return SecretsFile(folder / f"{environment.name}.yml", root)


def wanted(environment: Environment) -> list[Name]:
    """The (site, key) of every secret that the environment needs."""
    return [
        (site.key, key)
        for site in environment.sites
        for key in [*site.generated_secrets, *site.given_secrets]
    ]


MADE_INTO_SECRETS = frozenset(
    {"domain", "database", "redis", "protect", "env", "features", "secrets"}
)
"""A site's settings that are written to files with secrets."""


def made_of(environment: Environment, root: Path) -> dict[str, tuple[str, str]]:
    """Checksums of the sources of each site's files with secrets: of the settings, and of the
    encrypted secrets (empty if unreadable), which depend on the recipients. Needs no key."""
    try:
        armor = secrets_file(environment, root).armor
    except (OSError, SettingsError):
        armor = {}
    return {
        site.name: (
            _sum(site.model_dump(mode="json", include=set(MADE_INTO_SECRETS))),
            _sum(armor[site.key]) if site.key in armor else "",
        )
        for site in environment.sites
    }


def _sum(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _refuse_missing(environment: Environment, file: SecretsFile) -> None:
    name = environment.name
    if not file.path.exists():
        message = f"there is no such file: `{COMMAND} {name}` creates it"
        raise SettingsError([Problem(Location(file.source.file), message)])
    problems = []
    for site, key in missing(environment, file):
        remedy = f"`{COMMAND} {name} {site} {key}` sets it"
        if key in environment.site(site).generated_secrets:
            remedy = f"`{COMMAND} {name}` generates it"
        problems.append(file.source.problem((site, key), f"is missing: {remedy}"))
    if problems:
        raise SettingsError(problems)


def _opened(
    environment: Environment, file: SecretsFile, root: Path
) -> dict[str, dict[str, Secret]]:
    with naming_the_recipients(environment, file):
        values = file.opened(wanted(environment), keyring_for(environment, root))
    if not file.is_labelled:
        logger.warning(UNLABELLED, file.source.file, f"{COMMAND} {environment.name} --recrypt")
    opened: dict[str, dict[str, Secret]] = {}
    for (site, key), value in values.items():
        opened.setdefault(site, {})[key] = value
    return opened


def keyring_for(environment: Environment, root: Path) -> age.Keyring:
    """The private keys for this environment's secrets. Raises age.IdentityError."""
    own = environment.server.throwaway
    return age.Keyring([_throwaway_identity(root)] if own else age.identity_files())


@contextmanager
def naming_the_recipients(environment: Environment, file: SecretsFile) -> Iterator[None]:
    """Turns an age.IdentityError into a SettingsError that names the recipients."""
    try:
        yield
    except age.IdentityError as error:
        owners = ", ".join(map(age.owner, environment.recipients)) or "nobody"
        message = f"{error}; set {age.IDENTITY_VARIABLE} to a recipient's key: {owners}"
        raise SettingsError([Problem(Location(file.source.file), message)]) from None


def recipients_of(environment: Environment, root: Path) -> list[str]:
    """Who can decrypt this environment's secrets. Raises SettingsError for nobody."""
    if environment.server.throwaway:
        identity = _throwaway_identity(root)
        try:
            return [age.recipient_of(identity)]
        except age.IdentityError as error:
            advice = "delete it" if identity.exists() else "run deploy.py"
            message = f"{error}; {advice}: throwaway secrets are generated automatically"
            raise SettingsError([Problem(Location(str(identity)), message)]) from None
    if not environment.recipients:
        message = "is empty: add your SSH public key, the line in ~/.ssh/id_ed25519.pub"
        all_yml = read_yaml(root / "group_data/all.yml", root)
        raise SettingsError([all_yml.problem(("recipients",), message)])
    return environment.recipients


def _make_throwaway(environment: Environment, file: SecretsFile, root: Path) -> None:
    if not _throwaway_identity(root).exists():
        age.make_identity(_throwaway_identity(root))
        file.armor.clear()
    recipients = recipients_of(environment, root)
    lacking = missing(environment, file)
    if not file.is_labelled:
        file.encrypt_anew(file.names(), keyring_for(environment, root), recipients)
    for site, key in lacking:
        file.set(site, key, generate(key), recipients)
    if lacking or not file.is_labelled:
        file.write()


def _throwaway_identity(root: Path) -> Path:
    return root / ".stagecraft/identity"
