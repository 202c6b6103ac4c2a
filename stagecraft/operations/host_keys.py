"""sshd's host keys, and the groups for Diffie-Hellman key exchange."""

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.host_keys import HostKeysFact
from stagecraft.run import saw
from stagecraft.seen import State

MODULI = "/etc/ssh/moduli"

STRONG_BITS = 3071
"""The minimum in ssh-audit's hardening guide: 3072 bits, as moduli(5) counts them."""


@operation()
def generated(keys: Sequence[str], moduli: bool) -> Generator[StringCommand]:
    """Ensures host keys at these paths, ed25519 or, if the name says so, RSA with 4096 bits;
    existing ones are never replaced. With `moduli`, ensures that sshd's list has no weak groups."""
    found: list[str] = host.get_fact(HostKeysFact, keys=list(keys), bits=STRONG_BITS)
    states = [State("host key", key, "there", "there" if key in found else "") for key in keys]
    if moduli:
        strong = "no group is weak"
        present = "some are weak" if "weak" in found else strong
        states.append(State("moduli", MODULI, strong, present))
    saw(*states)
    for key in keys:
        if key not in found:
            kind = "-t rsa -b 4096" if "_rsa_" in key else "-t ed25519"
            path = shlex.quote(key)
            # Renamed into place, because a half-written key would be kept, too.
            yield StringCommand(
                f"rm -f {path}.new {path}.new.pub"
                f" && ssh-keygen -q {kind} -N '' -C '' -f {path}.new"
                f" && mv {path}.new.pub {path}.pub && mv {path}.new {path}"
            )
    if moduli and "weak" in found:
        yield StringCommand(
            f"umask 022; awk '$5 >= {STRONG_BITS}' {MODULI} > {MODULI}.new"
            f" && [ -s {MODULI}.new ] && mv {MODULI}.new {MODULI}"
        )
