"""Redis: an instance of its own for each site, behind a socket, confined to the site's prefix."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pyinfra.api.deploy import deploy

from stagecraft import operations
from stagecraft.operations import files
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Directory
from stagecraft.operations.services import running
from stagecraft.paths import redis_socket
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Site

TRIAL_START = Path(operations.__file__).with_name("try_redis.sh").read_text()


@deploy("Redis")
def redis(site: Site, secrets: Mapping[str, Secret]) -> None:
    unit = f"redis-server@{site.name}.service"
    password = secrets["REDIS_PASSWORD"].reveal()
    configuration = f"/etc/redis/redis-{site.name}.conf"
    users = f"/etc/redis/redis-{site.name}.acl"
    override = f"/etc/systemd/system/{unit}.d"
    written = files.tree(
        name=f"Write {configuration}",
        tree=f"redis-{site.name}",
        nodes=[
            file(
                configuration,
                "redis/redis.conf.j2",
                site=site,
                socket=redis_socket(site),
                group=site.name,
                mode="640",
            ),
            file(
                users,
                "redis/users.acl.j2",
                secret=True,
                site=site,
                password_sha256=hashlib.sha256(password.encode()).hexdigest(),
                group=site.name,
                mode="640",
            ),
            Directory(override),
            file(f"{override}/stagecraft.conf", "redis/override.conf.j2", site=site),
        ],
        check=Check(
            "redis-server on a scratch socket",
            f"configuration={configuration}\n{TRIAL_START}",
            ("/etc/redis",),
        ),
    )
    running(
        name=f"Run Redis of {site.name}",
        unit=unit,
        watched=[configuration, users],
        unit_files=[override],
        after=[written],
        refresh="systemctl restart",
    )
