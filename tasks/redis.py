"""Redis: a separate instance for each site, with a socket, limited to the site's prefix."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta

from stagecraft import operations
from stagecraft.claims import Claims
from stagecraft.operations import files
from stagecraft.operations.accounts import system_account
from stagecraft.operations.files import Check, Written
from stagecraft.operations.nodes import Directory, File, Node
from stagecraft.operations.services import RESTART, running
from stagecraft.paths import redis_configuration, redis_data, redis_socket
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight, redis_memory_max_mb

TRIAL_START = Path(operations.__file__).with_name("try_redis.sh").read_text()


def claimed(site: Site) -> Claims:
    return Claims((redis_configuration(site),), {site.redis_user: redis_data(site)})


@deploy("Redis")
def redis(site: Site, secrets: Mapping[str, Secret]) -> list[Written | OperationMeta]:
    unit = f"redis-server@{site.name}.service"
    override = f"/etc/systemd/system/{unit}.d"
    configuration, users = redis_configuration(site), f"/etc/redis/redis-{site.name}.acl"
    system_account(
        name=f"Add the user {site.redis_user}", account=site.redis_user, home=redis_data(site)
    )
    written = files.tree(
        name=f"Write {configuration}",
        tree="redis",
        site=site.name,
        nodes=[
            file(
                configuration,
                "redis/redis.conf.j2",
                site=site,
                socket=redis_socket(site),
                group=site.name,
                mode="640",
            ),
            users_file(users, site, secrets["REDIS_PASSWORD"]),
            *limits(override, site),
        ],
        check=Check(
            "redis-server on a scratch socket",
            f"configuration={configuration}\n{TRIAL_START}",
            ("/etc/redis",),
            unit,
        ),
    )
    runs = running(
        name=f"Run Redis of {site.name}",
        unit=unit,
        watched=[configuration, users],
        unit_files=[override],
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


def limits(override: str, site: Site) -> list[Node]:
    return [
        Directory(override),
        file(
            f"{override}/stagecraft.conf",
            "redis/override.conf.j2",
            site=site,
            memory_max_mb=redis_memory_max_mb(site),
            cpu_weight=cpu_weight(site),
        ),
    ]
