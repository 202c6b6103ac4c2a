"""The SSH connection beneath a connector."""

from __future__ import annotations

from paramiko import Transport
from pyinfra.connectors.ssh import SSHConnector


def transport_of(connector: object) -> Transport | None:
    """The SSH connection; None for pyinfra's other ways to reach a host."""
    if not isinstance(connector, SSHConnector) or connector.client is None:
        return None
    return connector.client.get_transport()
