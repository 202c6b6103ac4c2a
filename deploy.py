"""Brings a server to the declared state: pyinfra inventories/staging.py deploy.py"""

from pathlib import Path

from pyinfra.context import host

from stagecraft.lock import lock
from stagecraft.secrets import secrets_for
from stagecraft.settings import environment_of
from tasks.app import app
from tasks.database import database, database_server, refuse_foreign_database
from tasks.machine import machine
from tasks.nginx import nginx
from tasks.packages import packages
from tasks.php_fpm import php_fpm
from tasks.redis import redis
from tasks.tls import acme_certificates, first_certificates

_environment = environment_of(host.data)
_secrets = secrets_for(_environment.name, Path(host.data.root))
_machine = machine(_environment)
lock()

packages(_environment, _machine)
database_server(_environment.server.database, _machine)
for _site in _environment.sites:
    refuse_foreign_database(_environment, _site)
    app(_site, _secrets[_site.key])
    database(_environment, _site, _secrets[_site.key])
    redis(_site, _secrets[_site.key])
    php_fpm(_site, _machine)
first_certificates(_environment)
nginx(_environment, _machine, _secrets)
acme_certificates(_environment)
