"""Workers and the scheduler run the current release's jobs, in the sandbox of the site's PHP."""

from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.nodes import Node
from stagecraft.operations.services import RESTART, running
from stagecraft.packages import php_version
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.services import Workers, unit_file
from stagecraft.settings import Site
from stagecraft.settings.models import App
from tasks.php_fpm import sandbox

SCHEDULER = "php artisan schedule:work"
SCHEDULER_MB = 512
"""For the tasks, too, that it starts."""


@deploy("Workers")
def workers(site: Site) -> None:
    if site.app is None:
        return
    service = of_site(site, site.app)
    written = files.tree(
        name=f"Write the workers of {site.name}",
        tree="workers",
        site=site.name,
        nodes=units(site, site.app, service),
    )
    for unit in service.units:
        running(
            name=f"Run {unit}",
            unit=unit,
            watched=[f"{site.home}/shared/.env"],
            unit_files=[unit_file(unit)],
            after=[written],
            refresh=RESTART,
        )


def of_site(site: Site, app: App) -> Workers:
    counts = {name: worker.count for name, worker in app.workers.items()}
    return Workers(site.name, counts, scheduler=app.scheduler)


def units(site: Site, app: App, service: Workers) -> list[Node]:
    nodes: list[Node] = []
    for unit, name in service.queues.items():
        worker = app.workers[name]
        values: dict[str, Any] = {"command": command(worker.command), "drain": worker.drain}
        description = f"Worker {name} of {site.name}"
        nodes.append(unit_node(site, unit, worker.memory_mb, description=description, **values))
    if service.scheduler:
        values = {"command": command(SCHEDULER), "drain": 0}
        description = f"Scheduler of {site.name}"
        nodes.append(
            unit_node(site, service.scheduler, SCHEDULER_MB, description=description, **values)
        )
    return nodes


def unit_node(site: Site, unit: str, memory_mb: int, **values: Any) -> Node:
    machine = this_run().machine
    confined = sandbox(site, php_version(site, machine), machine, memory_mb)
    return file(unit_file(unit), "workers/unit.service.j2", **confined, **values)


def command(line: str) -> str:
    """A shell command for ExecStart=, as systemd.service(5) has it quoted."""
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'/bin/sh -c "exec {escaped.replace("%", "%%").replace("$", "$$")}"'
