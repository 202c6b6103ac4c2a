"""The kernel's limits on a site's connections."""

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host

from stagecraft.facts.reach import IN_FORCE, ReachFact
from stagecraft.operations.files import Written
from stagecraft.operations.services import pending
from stagecraft.run import report_states
from stagecraft.seen import State
from stagecraft.services import Reach


@operation()
def in_force(site: str, after: Sequence[Written | OperationMeta]) -> Generator[str]:
    """Ensures that the kernel has the rules of the site's file. The unit stays active when somebody
    flushes them or recreates the site's user. `after` is what writes the file and runs the unit."""
    reach = Reach(site)
    found: str = host.get_fact(ReachFact, table=reach.table, rules=reach.rules)
    follows = pending(after)
    report_states(
        State("reach", site, IN_FORCE, IN_FORCE if follows else found, through=reach.unit)
    )
    if found != IN_FORCE and not follows:
        yield f"systemctl reload {shlex.quote(reach.unit)}"
