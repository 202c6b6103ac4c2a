"""sshd's host keys, and the groups for Diffie-Hellman key exchange."""

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.host_keys import HostKeysFact
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states
from stagecraft.seen import State

MAKE_HOST_KEY = script("make_host_key")

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
    report_states(*states)
    for key in keys:
        if key not in found:
            yield run_script(MAKE_HOST_KEY, key, "rsa" if "_rsa_" in key else "ed25519")
    if moduli and "weak" in found:
        yield StringCommand(
            f"umask 022; awk '$5 >= {STRONG_BITS}' {MODULI} > {MODULI}.new"
            f" && [ -s {MODULI}.new ] && mv {MODULI}.new {MODULI}"
        )
