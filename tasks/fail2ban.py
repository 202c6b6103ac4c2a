"""fail2ban on servers with `host:`: bans addresses that try to guess SSH logins.

A jail for nginx has to come after `run_nginx` in deploy.py: without its log file, Debian 12's
fail2ban does not start. It needs `backend = auto`, because our default is the journal, and its file
among `watched`.
"""

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.files import Checker
from stagecraft.operations.services import RESTART, running
from stagecraft.render import file
from stagecraft.services import FAIL2BAN

JAIL = "/etc/fail2ban/jail.d/stagecraft.local"


@deploy("fail2ban")
def fail2ban(ssh_port: int) -> None:
    written = files.tree(
        name=f"Write {JAIL}",
        tree="fail2ban",
        nodes=[file(JAIL, "fail2ban/stagecraft.local.j2", ssh_port=ssh_port)],
        check=Checker(
            "fail2ban-client --test",
            "fail2ban-client --test",
            ("/etc/fail2ban",),
            unit=FAIL2BAN,
        ),
    )
    running(
        name="Run fail2ban",
        unit=FAIL2BAN,
        watched=[JAIL],
        after=[written],
        refresh=RESTART,
    )
