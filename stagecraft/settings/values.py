"""The types of values in settings, each with its expected format."""

import re
import zoneinfo
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from stagecraft.age import is_recipient
from stagecraft.engines import ENGINES
from stagecraft.nearest import did_you_mean
from stagecraft.settings.addresses import Destination, machine_address, network

# RFC 6761, RFC 8375, and ICANN's .internal: no public certificate, no public name.
RESERVED_DOMAINS = ("test", "localhost", "example", "invalid", "internal", "local", "home.arpa")

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_FACTORS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def is_public(domain: str) -> bool:
    return not any(f".{domain}".endswith(f".{reserved}") for reserved in RESERVED_DOMAINS)


def size_in_bytes(size: str) -> int:
    """Bytes of a size as nginx and PHP (`700M`) or Redis (`128mb`) write it."""
    number, unit = re.fullmatch(r"(\d+)([a-z])b?", size.lower()).groups()  # type: ignore[union-attr]
    return int(number) * _FACTORS[unit]


def percent(share: str) -> int:
    """The number in a share like `25%`."""
    return int(share.removesuffix("%"))


def hours(period: str) -> int:
    """The hours in a period like `12h`, `1d` or `1w`."""
    return int(period[:-1]) * {"h": 1, "d": 24, "w": 7 * 24}[period[-1]]


def _like(pattern: str, expectation: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value) or not value.isprintable():
            raise ValueError(f"{value!r} must be {expectation}")
        return value

    return AfterValidator(check)


def _but_not(names: Collection[str], reason: str) -> AfterValidator:
    def check(value: str) -> str:
        if value.lower() in names:
            raise ValueError(f"{value!r} is {reason}: choose another name")
        return value

    return AfterValidator(check)


def _domain(name: str) -> str:
    mistakes = (
        ("://" in name, "omit the scheme"),
        ("/" in name, "omit the path"),
        (":" in name, "omit the port, sites listen on 80 and 443"),
        ("*" in name, "wildcards need a DNS challenge, and HTTP is used here: list each name"),
        (not name.isascii(), f"write it in punycode{_punycode(name)}"),
        (name != name.lower(), f"write it in lower case, {name.lower()}"),
        ("_" in name, "host names cannot contain an underscore"),
        (name.endswith("."), "omit the dot at the end"),
        ("." not in name, "it needs a dot, like askpro.test"),
        (re.search(r"(^|\.)[0-9]+$", name), "addresses cannot have a certificate"),
        (len(name) > 253, "it is longer than 253 characters"),
        (
            not all(map(_LABEL.fullmatch, name.split("."))),
            "each part between dots has 1 to 63 of a-z, 0-9 and inner hyphens",
        ),
        (not _decodes(name), "its xn-- part is not valid punycode"),
    )
    for wrong, advice in mistakes:
        if wrong:
            raise ValueError(f"{name!r} is not a domain name: {advice}")
    return name


def _punycode(name: str) -> str:
    """The name in punycode, unless IDNA 2003 (Python's) and 2008 (today's) differ on it."""
    if set(name) & set("ßς\u200c\u200d"):
        return " (the standards differ on one of its letters: ask your registrar)"
    try:
        return f", {name.encode('idna').decode()}"
    except UnicodeError:
        return ""


def _decodes(name: str) -> bool:
    try:
        for label in name.split("."):
            if label.startswith("xn--"):
                label.removeprefix("xn--").encode().decode("punycode")
    except UnicodeError:
        return False
    return True


def _destination(value: str) -> str:
    Destination.parse(value)
    return value


def _recipient(value: str) -> str:
    if not is_recipient(value):
        raise ValueError("must be an age recipient: a line of an SSH .pub file, or age1…")
    return value


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("must be one line without control characters")
    return value


def _value(value: object) -> object:
    if isinstance(value, str):
        return _one_line(value)
    if value is None or isinstance(value, (int, float)):
        return value
    raise ValueError("must be one value: text, a number, true, false or null")


def local_path(value: str, info: ValidationInfo) -> str:
    """The absolute path, if the validation context has the root."""
    root = (info.context or {}).get("root")
    try:
        return str(root / Path(value).expanduser()) if root else value
    except RuntimeError:
        raise ValueError(f"{value!r} does not begin with an existing user's home") from None


def is_armored(key: str) -> bool:
    """Whether this is a public key, not the path of one."""
    return key.lstrip().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


def _key_or_path(value: str, info: ValidationInfo) -> str:
    return value if is_armored(value) else local_path(value, info)


def _timezone(value: str) -> str:
    # Debian's `localtime` is a link to /etc/localtime, which would then lead to itself.
    if value not in zoneinfo.available_timezones() - {"localtime"}:
        raise ValueError(f"{value!r} is not a time zone of the tz database, like Europe/Berlin")
    return value


def _environment_variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is not a variable name: use letters, digits and _, without a digit first")
    for pattern, source in DERIVED_VARIABLES.items():
        if re.fullmatch(pattern, name.upper()):
            raise ValueError(f"is derived from {source}, to keep environments apart: remove it")
    return name


# If environments shared one of these, staging could reach production.
DERIVED_VARIABLES = {
    "APP_ENV": "the name of this file",
    "APP_URL": "`domain`",
    "APP_KEY": "secrets/, set by `stagecraft secret`",
    "DB_(?!QUEUE).*|DATABASE_URL": "`database` (passwords: secrets/, set by `stagecraft secret`)",
    "REDIS_(?!QUEUE).*": "`redis` (password: secrets/, set by `stagecraft secret`)",
    "(CACHE|HORIZON)_PREFIX": "`redis.prefix`",
    "SESSION_COOKIE": "the site's and the environment's name",
}

HOOKED = ("build", "boot", "migrate", "switch", "health", "workers", "finish")
"""The steps of a release that commands can run before and after."""

HOOKS = ("after_unpack", *(f"{when}_{step}" for step in HOOKED for when in ("before", "after")))


def _hook_place(name: str) -> str:
    if name not in HOOKS:
        raise ValueError(f"unknown step{did_you_mean(name, HOOKS)}")
    return name


Domain = Annotated[str, AfterValidator(_domain)]
Network = Annotated[str, AfterValidator(network)]
Reachable = Annotated[str, AfterValidator(_destination)]
Recipient = Annotated[str, AfterValidator(_recipient)]
Line = Annotated[str, AfterValidator(_one_line)]
Value = Annotated[str | int | float | bool | None, PlainValidator(_value)]
LocalPath = Annotated[str, AfterValidator(local_path)]
KeyOrPath = Annotated[str, AfterValidator(_key_or_path)]
Name = Annotated[
    str, _like("[a-z]([a-z0-9-]*[a-z0-9])?", "lower-case letters, digits and inner hyphens")
]
ServerName = Annotated[
    str, _like("[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "lower-case letters, digits, dots and hyphens")
]
Address = Annotated[str, AfterValidator(machine_address)]
UnixUser = Annotated[str, _like("[a-z_][a-z0-9_.-]{0,31}", "a Unix user's name")]
Email = Annotated[str, _like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
Url = Annotated[str, _like(r"https?://[^\s/]+\S*", "a URL")]
HttpsUrl = Annotated[str, _like(r"https://[^\s/]+\S*", "a URL that begins with https://")]
Share = Annotated[str, _like(r"([1-9][0-9]?|100)%", 'a share of the machine\'s memory, like "25%"')]
Size = Annotated[
    str, _like(r"[1-9][0-9]{0,5}[kKmMgG]", "a size as nginx and PHP write it, like 700M")
]
ProcessSize = Annotated[
    str, _like("[1-9][0-9]{0,5}[mMgG]", "a size in megabytes or more, like 48M")
]
RedisSize = Annotated[
    str, _like(r"[1-9][0-9]{0,5}(kb|mb|gb)", "a size as Redis writes it, like 128mb (mb, not m)")
]
Timezone = Annotated[str, AfterValidator(_timezone)]
Locale = Annotated[
    str, _like(r"[a-z]{2,3}_[A-Z]{2}\.UTF-8|C\.UTF-8", "a UTF-8 locale, like de_DE.UTF-8")
]
Swap = Annotated[str, _like("auto|none|[1-9][0-9]{0,5}[MG]", "auto, none, or a size like 2G")]
RebootTime = Annotated[
    str, _like("never|([01][0-9]|2[0-3]):[0-5][0-9]", 'never, or a time of day like "04:00"')
]
Period = Annotated[str, _like("[1-9][0-9]{0,3}[hdw]", "hours, days or weeks, like 12h, 1d or 1w")]
RemotePath = Annotated[
    str,
    _like(r"(/[^/\x00-\x1f\x7f]+)+", "an absolute path on the server, without a slash at the end"),
]
PublicDirectory = Annotated[
    str,
    _like(
        r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        "a directory below public/, like wp-content/uploads, without a slash at either end",
    ),
    _but_not({"storage", "admin", "api", "health"}, "reserved"),
]
HookPlace = Annotated[str, AfterValidator(_hook_place)]
UrlPath = Annotated[
    str,
    _like(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+", "a path of the site, like /health"),
    _but_not({"/index.php", "/api"}, "reserved"),
]
PhpVersion = Annotated[str, _like(r"[1-9]\.[0-9]+", 'a version like "8.2"')]
PhpExtension = Annotated[
    str, _like("(?!php)[a-z0-9-]+", "the part after php8.2- in Debian's package name, like imagick")
]
DatabaseName = Annotated[
    str,
    _like("[A-Za-z0-9_]{1,64}", "at most 64 of A-Z, a-z, 0-9 and _"),
    _but_not(
        set().union(*(engine.schemas for engine in ENGINES.values())), "reserved by the server"
    ),
]
DatabaseUser = Annotated[
    str,
    # An engine allows 32 characters, and the migrator's name is this one and `_migrator`.
    _like("[A-Za-z0-9_]{1,23}", "at most 23 of A-Z, a-z, 0-9 and _ (the migrator needs 9 of 32)"),
    _but_not({*ENGINES}.union(*(e.accounts for e in ENGINES.values())), "reserved by the server"),
]
Charset = Annotated[str, _like("[a-z0-9]+", "a character set like utf8mb4")]
Collation = Annotated[str, _like("[a-z0-9_]+", "a collation like utf8mb4_unicode_ci")]
RedisPrefix = Annotated[
    # It is part of an ACL, where * ? [ and \ are wildcards.
    str, _like(r"[A-Za-z0-9][A-Za-z0-9_:.-]*", "made of A-Z, a-z, 0-9, _ : . and -")
]
BasicAuthUser = Annotated[str, _like("[a-z][a-z0-9_]*", "lower-case letters, digits and _")]
FeatureName = Annotated[
    str, _like("[a-z][a-z0-9_]*", "lower-case letters, digits and _ (customer_portal)")
]
EnvironmentVariable = Annotated[str, AfterValidator(_environment_variable)]
SecretName = Annotated[
    str,
    _like("[A-Z][A-Z0-9_]*", "upper-case letters, digits and _"),
    _but_not(
        {"app_key", "db_password", "db_migrator_password", "redis_password", "htpasswd_salt"},
        "reserved",
    ),
    AfterValidator(_environment_variable),
]
