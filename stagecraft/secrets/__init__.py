"""Passwords and keys: encrypted in `secrets/<environment>.yml`, masked everywhere else."""

from stagecraft.secrets.masked import Secret
from stagecraft.secrets.read import secrets_for

__all__ = ["Secret", "secrets_for"]
