"""Passwords and keys: encrypted in `secrets/<environment>.yml`, masked everywhere else."""

from stagecraft.secrets.masked import Secret
from stagecraft.secrets.read import made_of, secrets_for, stand_ins

__all__ = ["Secret", "made_of", "secrets_for", "stand_ins"]
