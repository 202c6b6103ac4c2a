"""Throwaway Debian servers for the first try and for the tests.

Each one is a real system (own systemd, sshd, network, firewall) in a systemd-nspawn container,
as bare as a provider hands it over, and boots in seconds. Needs root on a Linux machine.
"""

from stagecraft.nspawn.errors import NspawnError
from stagecraft.nspawn.lab import Lab
from stagecraft.nspawn.server import Server

__all__ = ["Lab", "NspawnError", "Server"]
