"""What a release's own files ask of its server: PHP's version and extensions, and variables."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from stagecraft.on_server import constraints, dotenv
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site

FILES = {"composer.json": 1_000_000, "composer.lock": 5_000_000, ".env.example": 65_536}
"""What is read, and at most so many bytes of it."""

MOST_NAMED = 20

MOST_NESTED = 100_000
"""Objects and lists in a file of JSON, which take thirty times its room in memory. A lock file has
some thirty for each package."""

Asked = tuple[str, str, str]
"""Who asks for which part of the platform, and for which versions of it."""


def check(site: Site, release: Path, log: Log) -> None:
    """Raises Failed for what the release asks for in vain."""
    files = read(release)
    for note in notes(site, files):
        log.say(f"  {note}")
    if found := problems(site, files):
        raise Failed("; ".join(found))


def read(release: Path) -> dict[str, str]:
    """The files that are there. They are the site's, so no link is followed, and no pipe is waited
    at."""
    files = {}
    for name, most in FILES.items():
        try:
            descriptor = os.open(release / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Failed(f"{name} cannot be read as a file: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Failed(f"{name} is no ordinary file")
            content = file.read(most + 1)
        if len(content) > most:
            raise Failed(f"{name} has more than {most} bytes")
        files[name] = content.decode(errors="replace")
    return files


def problems(site: Site, files: Mapping[str, str]) -> list[str]:
    try:
        return [*islice(_php(site, files), MOST_NAMED), *_variables(site, files)]
    except Failed as error:
        return [str(error)]


def notes(site: Site, files: Mapping[str, str]) -> list[str]:
    """What may be meant so."""
    present = dotenv.read(site)
    return [
        f".env leaves {name} empty, which .env.example sets"
        for name, value in dotenv.parse(files.get(".env.example", "")).items()
        if value and present.get(name) == ""
    ]


def _variables(site: Site, files: Mapping[str, str]) -> Iterator[str]:
    """Those that deploy.py derives are its own concern: a site could not set them."""
    present, derived = dotenv.read(site), re.compile(site.derived or "(?!)")
    example = dotenv.parse(files.get(".env.example", ""))
    missing = [name for name in example if name not in present and not derived.fullmatch(name)]
    if missing:
        yield (
            f".env lacks what .env.example has: {', '.join(missing)}. Set each one under `env:` of"
            " the site, or `secrets:`, in the environment's file and run deploy.py; or make it a"
            " comment in .env.example if the app has a default"
        )


def _php(site: Site, files: Mapping[str, str]) -> Iterator[str]:
    asked = list(dict.fromkeys(platform(files)))
    if not asked:
        return
    by_command, for_visitors = loaded(site, "cli"), loaded(site, "fpm")
    for who, name, versions in asked:
        part = name.removeprefix("ext-").lower()
        for found in (by_command, for_visitors):
            if part not in found:
                yield (
                    f"{who} requires {name}, which the site's {Path(site.php).name} lacks: add it"
                    " to php_extensions: of the site (what follows the version in the name of its"
                    " Debian package), and run deploy.py"
                )
                break
            if not constraints.satisfied(found[part], versions):
                remedy = "set `php:` of the site to such a version" if part == "php" else ""
                yield (
                    f"{who} requires {name} {versions}, and the site has {found[part]}: "
                    + (remedy or "install such a version, or require another")
                )
                break


def platform(files: Mapping[str, str]) -> Iterator[Asked]:
    """What composer.json and the packages of composer.lock require of PHP, without what one of
    those packages brings itself, as polyfills do."""
    own, lock = (_json(files, name) for name in ("composer.json", "composer.lock"))
    packages = [package for package in _list(lock.get("packages")) if isinstance(package, dict)]
    brought = {
        name
        for package in packages
        for key in ("provide", "replace")
        for name in _mapping(package.get(key))
    }
    yield from _of("composer.json", own, brought)
    for package in packages:
        yield from _of(str(package.get("name")), package, brought)


def _of(who: str, package: Mapping[str, Any], brought: Iterable[str]) -> Iterator[Asked]:
    for name, versions in _mapping(package.get("require")).items():
        if (name == "php" or name.startswith("ext-")) and name not in brought:
            yield who, name, str(versions)


def _json(files: Mapping[str, str], name: str) -> Mapping[str, Any]:
    text = files.get(name, "{}")
    if text.count("{") + text.count("[") > MOST_NESTED:
        raise Failed(f"{name} has more than {MOST_NESTED} objects and lists")
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Failed(f"{name} is not JSON: {error}") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


SHOWN = """$all = ['php' => PHP_VERSION];
foreach (get_loaded_extensions() as $name)
    $all[str_replace(' ', '-', strtolower($name))] = phpversion($name) ?: '';
echo json_encode($all);"""


def loaded(site: Site, interface: str) -> dict[str, str]:
    """PHP's version and those of its extensions, by composer's names. No code of the site runs."""
    version = Path(site.php).name.removeprefix("php")
    done = subprocess.run(
        [site.php, "-d", "auto_prepend_file=", "-d", "auto_append_file=", "-r", SHOWN],
        env={"PHP_INI_SCAN_DIR": f"/etc/php/{version}/{interface}/conf.d"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"{site.php} does not run: {done.stderr.strip()[:300]}")
    found = dict(json.loads(done.stdout))
    return {**found, "opcache": found.get("zend-opcache", "")} if "zend-opcache" in found else found
