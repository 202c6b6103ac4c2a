"""The settings as types. `example/group_data/all.yml` explains every key where it is set."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from stagecraft.engines import ENGINES, Engine, EngineName
from stagecraft.errors import CommandLineError
from stagecraft.paths import home
from stagecraft.settings import values
from stagecraft.settings.addresses import Destination
from stagecraft.settings.host import DEPLOY, Host
from stagecraft.settings.public_keys import PublicKey
from stagecraft.settings.setting import Port, PositiveInt, Setting
from stagecraft.settings.values import percent, size_in_bytes


class Issuer(Setting):
    """Who signs certificates: an ACME directory; none for `selfsigned`. `ca_bundle` is a path on
    the operator's machine, absolute once read."""

    directory: values.HttpsUrl | None = None
    ca_bundle: values.LocalPath | None = None


class Machines(Setting):
    """`group_data/all.yml`. Servers and defaults of sites are checked separately."""

    servers: dict[str, Any]
    issuers: dict[values.Name, Issuer] = {}
    recipients: list[values.Recipient] = []
    site_defaults: dict[str, Any] = {}


class UndeclaredDatabase(Setting):
    """A database that no site uses any more. It stays until `present: false` is declared."""

    present: Literal[False]


class Sites(Setting):
    """An environment's file. Its sites are checked separately, with their defaults. `ci` lists the
    public keys with which CI may release."""

    server: str
    sites: dict[str, Any]
    ci: list[PublicKey] = []
    databases: dict[values.DatabaseName, UndeclaredDatabase] = {}


class AptSource(Setting):
    """An archive other than Debian's, with fields as in deb822. `key` is an ASCII-armored public
    key or the path of one; None means Debian's own keyring."""

    uris: Annotated[list[values.Url], Field(min_length=1)]
    suites: Annotated[list[values.Line], Field(min_length=1)]
    components: list[values.Line] = ["main"]
    key: values.KeyOrPath | None = None
    pin: Annotated[int, Field(gt=0, lt=2**15)] | None = None
    check_valid_until: bool = True

    @property
    def armored_key(self) -> str | None:
        """The public key, read from its file if `key` is a path."""
        if self.key is None or values.is_armored(self.key):
            return self.key
        return Path(self.key).read_text(encoding="utf-8")


class ServerDatabase(Setting):
    """The database server, shared by every site on the machine."""

    engine: EngineName = "mariadb"
    memory: values.Share = "25%"

    @property
    def memory_percent(self) -> int:
        return percent(self.memory)


class Server(Setting):
    """A machine, and how to reach it. Paths are absolute once read. `backups` are written by other
    tools: the longest interval between two new files in each path. `host` is None for a machine
    that is managed in another way."""

    name: values.ServerName
    address: values.Address
    ssh_user: values.UnixUser = "root"
    ssh_port: Port = 22
    ssh_key: values.LocalPath | None = None
    ssh_config: values.LocalPath | None = None
    throwaway: bool = False
    database: ServerDatabase = ServerDatabase()
    apt_sources: dict[values.Name, AptSource] = {}
    backups: dict[values.RemotePath, values.Period] = {}
    host: Host | None = None

    @property
    def engine(self) -> Engine:
        return ENGINES[self.database.engine]

    @model_validator(mode="before")
    @classmethod
    def _deploy_logs_in_where_root_cannot(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"ssh_user": DEPLOY} | data if data.get("host") else data


class Database(Setting):
    """A site's database and its two users."""

    name: values.DatabaseName
    user: values.DatabaseUser
    charset: values.Charset = "utf8mb4"
    collation: values.Collation = "utf8mb4_unicode_ci"
    connections: PositiveInt = 60

    @property
    def migrator(self) -> str:
        """The user that changes the schema."""
        return f"{self.user}_migrator"

    @property
    def users(self) -> tuple[str, str]:
        return self.user, self.migrator


class RedisSettings(Setting):
    prefix: values.RedisPrefix
    memory: values.RedisSize = "128mb"


class Tls(Setting):
    issuer: str = "letsencrypt"
    email: values.Email | None = None
    hsts_include_subdomains: bool = False


class Protect(Setting):
    basic_auth: list[values.BasicAuthUser] = []
    admin_allow: list[values.Network] = []


class PhpFpmSettings(Setting):
    """Sizes of the FPM instance. `slow_log` and `timeout` are in seconds."""

    memory: values.Share = "20%"
    process_size: values.ProcessSize = "48M"
    max_children: PositiveInt = 50
    slow_log: PositiveInt = 10
    timeout: PositiveInt = 60

    @property
    def memory_percent(self) -> int:
        return percent(self.memory)

    @property
    def process_size_bytes(self) -> int:
        return size_in_bytes(self.process_size)


LARAVEL = (
    "composer install --no-dev --no-interaction --prefer-dist --optimize-autoloader",
    "[ ! -f package-lock.json ] || { npm ci && npm run build; }",
    "php artisan route:cache",
    "php artisan event:cache",
    "php artisan view:cache",
)


class Worker(Setting):
    """Processes that run an app's jobs. `memory` is the limit of each one; `drain` is how many
    seconds a job has to end when they are restarted."""

    command: values.Line = "php artisan queue:work"
    count: PositiveInt = 1
    memory: values.ProcessSize = "256M"
    drain: PositiveInt = 60

    @property
    def memory_mb(self) -> int:
        return size_in_bytes(self.memory) // 2**20


class App(Setting):
    """The application's source, how a release is made of it, and what runs besides PHP-FPM.

    `source` is a git URL, or the path of a checkout, relative to the project. `build`, `configure`
    (what depends on .env) and `migrate` are shell commands, run in the release as the site's user.
    `keep` good releases stay, and files in their `assets`, directories of public/, can be reached.
    `hooks` are commands before and after a release's steps. For so many seconds, `maintenance` may
    keep visitors out. Only commits that the environment
    `proven_in` has run well are released.
    """

    source: values.Line
    ref: values.Line = "main"
    build: list[values.Line] = list(LARAVEL)
    configure: list[values.Line] = ["php artisan config:cache"]
    migrate: values.Line | None = "php artisan migrate --force --no-interaction"
    keep: PositiveInt = 5
    proven_in: values.Name | None = None
    workers: dict[values.Name, Worker] = {"queue": Worker()}
    scheduler: bool = True
    assets: list[values.PublicDirectory] = ["build/assets"]
    hooks: dict[values.HookPlace, list[values.Line]] = {}
    maintenance: PositiveInt = 300


class Site(Setting):
    """An application in one environment. `key` and `environment` come from its place."""

    key: values.Name
    environment: values.Name
    domain: values.Domain
    aliases: list[values.Domain] = []
    php: values.PhpVersion | None = None
    php_extensions: list[values.PhpExtension] = []
    database: Database
    redis: RedisSettings
    tls: Tls = Tls()
    entry: Literal["front-controller", "php-files"] = "front-controller"
    no_php: list[values.PublicDirectory] = []
    shared: list[values.PublicDirectory] = []
    health: values.UrlPath = "/health"
    upload_limit: values.Size = "700M"
    protect: Protect = Protect()
    php_fpm: PhpFpmSettings = PhpFpmSettings()
    reach: list[values.Reachable] = []
    app: App | None = None
    mark_staging: bool = True
    env: dict[values.EnvironmentVariable, values.Value] = {}
    features: dict[values.FeatureName, bool] = {}
    secrets: list[values.SecretName] = []

    @model_validator(mode="before")
    @classmethod
    def _named_after_the_site(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Defaults of database, user and prefix; existing apps may have other names."""
        name = f"{data['key']}_{data['environment']}".replace("-", "_")
        database, redis = data.get("database", {}), data.get("redis", {})
        if isinstance(database, dict):
            data = data | {"database": {"name": name, "user": name} | database}
        if isinstance(redis, dict):
            data = data | {"redis": {"prefix": f"{name}_"} | redis}
        return data

    @property
    def name(self) -> str:
        """The name of its Unix user, units, directories and log files."""
        return f"{self.key}-{self.environment}"

    @property
    def domains(self) -> list[str]:
        return [self.domain, *self.aliases]

    @property
    def home(self) -> str:
        return home(self.name)

    @property
    def destinations(self) -> list[Destination]:
        """`reach`, parsed."""
        return [Destination.parse(text) for text in self.reach]

    @property
    def feature_variables(self) -> dict[str, bool]:
        """The flags as variables of the app, like FEATURE_CUSTOMER_PORTAL."""
        return {f"FEATURE_{flag.upper()}": value for flag, value in self.features.items()}

    @property
    def generated_secrets(self) -> list[str]:
        """Secrets that `stagecraft secret` generates, because only machines use them."""
        names = ["APP_KEY", "DB_PASSWORD", "DB_MIGRATOR_PASSWORD", "REDIS_PASSWORD"]
        return [*names, HTPASSWD_SALT] if self.protect.basic_auth else names

    @property
    def given_secrets(self) -> list[str]:
        """Secrets that a person sets: basic auth passwords, and those that the site declares."""
        return [*map(basic_auth_secret, self.protect.basic_auth), *self.secrets]


HTPASSWD_SALT = "HTPASSWD_SALT"
"""The secret from which the salts of basic auth's hashes are derived."""


def basic_auth_secret(user: str) -> str:
    return f"BASIC_AUTH_{user.upper()}"


class Environment(Setting):
    """Staging, production or local: its server, sites and issuers, the age recipients of its
    secrets, and the databases to drop."""

    name: values.Name
    server: Server
    sites: list[Site]
    issuers: dict[str, Issuer] = {}
    recipients: list[values.Recipient] = []
    dropped_databases: list[str] = []

    def site(self, key: str) -> Site:
        return next(site for site in self.sites if site.key == key)


def environment_of(data: Any) -> Environment:
    """The environment of a host, from pyinfra's `host.data`. Raises CommandLineError for a host
    that is not from our inventories, such as @local."""
    try:
        return Environment.model_validate(data.environment)
    except (AttributeError, ValidationError):
        raise CommandLineError(
            "this needs an inventory of an environment: pyinfra inventories/staging.py deploy.py"
        ) from None
