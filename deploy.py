"""Brings a server to the declared state: pyinfra inventories/staging.py deploy.py"""

if __name__ == "__main__":
    raise SystemExit("pyinfra runs this: .venv/bin/pyinfra inventories/staging.py deploy.py")

from pathlib import Path

from pyinfra.context import host as server

from stagecraft.lock import lock
from stagecraft.overrides import extend
from stagecraft.run import this_run
from stagecraft.secrets import made_of
from tasks.app import app, app_settings
from tasks.clashes import refuse_clashes
from tasks.database import database, database_server, drop_databases
from tasks.host import host
from tasks.logs import logs
from tasks.machine import machine
from tasks.manifest import begin, complete
from tasks.nginx import nginx, removed_vhosts, run_nginx, vhost
from tasks.packages import packages
from tasks.php_fpm import php_fpm
from tasks.program import program, releases
from tasks.reach import reach
from tasks.redis import redis
from tasks.removed import removed_sites, removed_steps
from tasks.tls import acme_certificates, first_certificates
from tasks.workers import workers

_run = this_run()
_run.machine = machine(_run.environment)
lock()
extend(globals())  # a team's own steps, before and after these stages

begin(_run.environment.name)
refuse_clashes()
_installed = packages()
host()
database_server()
program()
for _site in _run.environment.sites:
    # A failure here affects only this site; `complete` makes the run fail at the end.
    app(_site, _ignore_errors=True)
    reach(_site, _ignore_errors=True)
    _services = [
        *database(_site, _ignore_errors=True),
        *redis(_site, _ignore_errors=True),
    ]
    _settings = app_settings(_site, _services, _ignore_errors=True)
    logs(_site, _ignore_errors=True)
    php_fpm(_site, _installed, _ignore_errors=True)
    releases(_site, _settings, _ignore_errors=True)
    workers(_site, _ignore_errors=True)
_written = [*first_certificates(), nginx()]
for _site in _run.environment.sites:
    _written.append(vhost(_site, _ignore_errors=True))
run_nginx([*_written, *removed_vhosts()])
acme_certificates(_ignore_errors=True)
removed_sites()
drop_databases()
removed_steps()
complete(_run.environment.name, made_of(_run.environment, Path(server.data.root)))
