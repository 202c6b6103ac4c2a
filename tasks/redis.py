"""Redis: a separate instance for each site, with a socket, limited to the site's prefix."""

import hashlib

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta

from stagecraft.operations import files
from stagecraft.operations.files import Checker, Written
from stagecraft.operations.nodes import Directory, File, Node
from stagecraft.operations.scripts import script
from stagecraft.operations.services import RESTART, running
from stagecraft.operations.system_accounts import system_account
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.secrets import Secret
from stagecraft.services import Redis
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight, redis_memory_max_mb

TRIAL_START = script("try_redis")


@deploy("Redis")
def redis(site: Site) -> list[Written | OperationMeta]:
    service = Redis(site.name)
    configuration = service.configuration
    system_account(name=f"Add the user {service.user}", account=service.user, home=service.data)
    written = files.tree(
        name=f"Write {configuration}",
        tree="redis",
        site=site.name,
        nodes=[
            file(
                configuration,
                "redis/redis.conf.j2",
                site=site,
                socket=service.socket,
                group=site.name,
                mode="640",
            ),
            users_file(service.acl, site, this_run().secrets[site.key]["REDIS_PASSWORD"]),
            *limits(service, site),
        ],
        check=Checker(
            "redis-server on a scratch socket",
            f"configuration={configuration}\n{TRIAL_START}",
            ("/etc/redis",),
            service.unit,
        ),
    )
    runs = running(
        name=f"Run Redis of {site.name}",
        unit=service.unit,
        watched=[configuration, service.acl],
        unit_files=[service.override],
        after=[written],
        refresh=RESTART,
    )
    return [written, runs]


def users_file(path: str, site: Site, password: Secret) -> File:
    return file(
        path,
        "redis/users.acl.j2",
        secret=True,
        site=site,
        password_sha256=hashlib.sha256(password.reveal().encode()).hexdigest(),
        group=site.name,
        mode="640",
    )


def limits(service: Redis, site: Site) -> list[Node]:
    return [
        Directory(service.override),
        file(
            f"{service.override}/stagecraft.conf",
            "redis/override.conf.j2",
            redis_user=service.user,
            site=site,
            memory_max_mb=redis_memory_max_mb(site),
            cpu_weight=cpu_weight(site),
        ),
    ]
