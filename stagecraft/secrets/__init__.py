"""Passwords and keys: encrypted in `secrets/<environment>.yml`, masked everywhere else."""

from stagecraft.secrets.masked import Secret
from stagecraft.secrets.read import are_unopened, made_of, secrets_for, unopened

__all__ = ["Secret", "are_unopened", "made_of", "secrets_for", "unopened"]
