"""sshd's host keys, and the groups for Diffie-Hellman key exchange."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.host_keys import HostKeys, HostKeysFact
from stagecraft.run import report_states
from stagecraft.seen import State

MODULI = "/etc/ssh/moduli"

STRONG_BITS = 3071
"""The minimum in ssh-audit's hardening guide: 3072 bits, as moduli(5) counts them."""


@operation()
def generated(keys: Sequence[str], moduli: bool) -> Generator[StringCommand]:
    """Ensures host keys at these paths, ed25519 or, if the name says so, RSA with 4096 bits;
    existing ones are never replaced. With `moduli`, ensures that sshd's list has no weak groups."""
    found: HostKeys = host.get_fact(HostKeysFact, keys=list(keys), bits=STRONG_BITS)
    states = [State("host key", key, "there", "there" if key in found.keys else "") for key in keys]
    if moduli:
        strong = "no group is weak"
        states.append(
            State("moduli", MODULI, strong, "some are weak" if found.weak_moduli else strong)
        )
    report_states(*states)
    for key in keys:
        if key not in found.keys:
            kind = "-t rsa -b 4096" if "_rsa_" in key else "-t ed25519"
            path = shlex.quote(key)
            # Renamed into place, because a half-written key would be kept, too.
            yield StringCommand(
                f"rm -f {path}.new {path}.new.pub"
                f" && ssh-keygen -q {kind} -N '' -C '' -f {path}.new"
                f" && mv {path}.new.pub {path}.pub && mv {path}.new {path}"
            )
    if moduli and found.weak_moduli:
        yield StringCommand(
            f"umask 022; awk '$5 >= {STRONG_BITS}' {MODULI} > {MODULI}.new"
            f" && [ -s {MODULI}.new ] && mv {MODULI}.new {MODULI}"
        )
