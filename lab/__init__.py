"""Throwaway Debian servers for the first try and for the tests.

Each one is a real system (own systemd, sshd, network, firewall) in a systemd-nspawn container,
as bare as a provider hands it over, and boots in seconds. Needs root on a Linux machine.

This machine writes nothing through links that a server planted, and takes no package from it that
Debian did not sign. Still, root in such a container is this machine's root with fewer capabilities,
not a user of a namespace of its own. Run nothing there that you would not run here.
"""

from lab.commands import NspawnError
from lab.lab import Lab
from lab.server import LabServer

__all__ = ["Lab", "LabServer", "NspawnError"]
