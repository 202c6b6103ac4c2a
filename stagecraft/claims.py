"""What a site takes for itself where others may have theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claims:
    """`files` bear our mark and stand in directories that are not the site's own; `users` are Unix
    users, and where they live."""

    files: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, others: Claims) -> Claims:
        return Claims(self.files + others.files, {**self.users, **others.users})
