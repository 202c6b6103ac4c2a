"""PHP modules that somebody enabled or disabled, so that a site's requests, or its workers and
commands, have more or less of PHP than its packages."""

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.unmanaged.locations import PHP
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.php_modules import Module, PhpModulesFact

MODULE = Kind(Class.UNMANAGED, "PHP module", "as its package enables it", Severity.LOW)


def php_modules(_: Declared) -> Iterator[Finding]:
    modules = ask(PhpModulesFact)
    for module in sorted(modules.enabled ^ modules.by_packages):
        enabled = module in modules.enabled
        yield MODULE.finding(
            " ".join(module),
            found=f"somebody has {'enabled' if enabled else 'disabled'} it",
            remedy=disabled(module) if enabled else enabled_again(module),
            refresh=PHP if module.sapi == "fpm" else "",
        )


def disabled(module: Module) -> str:
    return f"phpdismod {options(module)} && {forgotten(module)}"


def enabled_again(module: Module) -> str:
    """As a package does (-m), which respects what an admin wants."""
    return f"{forgotten(module)} && phpenmod -m {options(module)}"


def options(module: Module) -> str:
    version, sapi, name = map(shlex.quote, module)
    return f"-v {version} -s {sapi} {name}"


def forgotten(module: Module) -> str:
    version, sapi, name = map(shlex.quote, module)
    return f"rm -f /var/lib/php/modules/{version}/{sapi}/*_by_admin/{name}"
