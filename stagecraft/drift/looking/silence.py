"""Why a check has nothing to report, for the one who must act."""

from __future__ import annotations

import re

LOGIN = re.compile(r"Authentication error \((?:username=)?(?P<account>[^,)]*)")
UNREACHABLE = re.compile(
    r"\] (?P<what>(?:Could not connect|Could not resolve hostname|SSH error|EOF error) \(.*\))"
)
FATAL = re.compile(r"^--> pyinfra error: (?P<what>.*)", re.MULTILINE | re.DOTALL)


def reason(said: str) -> str:
    """The reason in what pyinfra said, which ends where the reason is."""
    if "has another host key than the one pinned" in said:
        return (
            "its host key is not the pinned one: it was reinstalled, or somebody else answers"
            " there. README, `A new server`, says what to do"
        )
    if "StrictPolicy: No host key" in said:
        return (
            "its host key is not pinned: log in or run deploy.py once, compare the key with the"
            " one that the provider's panel shows, and keep known_hosts"
        )
    if found := LOGIN.search(said):
        return (
            f"the login as {found['account']} was refused: none of this machine's SSH keys opens"
            " it (group_data/all.yml, host: deploy:)"
        )
    if "sudo password:" in said or "sudo: " in said:
        return "sudo was refused: the account that logs in needs it without a password"
    if found := UNREACHABLE.search(said):
        return f"it cannot be reached: {found['what']}"
    if found := FATAL.search(said):
        return found["what"].strip()
    return "the check broke off: " + " / ".join(said.strip().splitlines()[-3:])
