# Everything here can be run again at any time.

NAME ?= local
SUITE ?= trixie

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The servers' library needs nothing but the standard library, so no .venv before the first server.
NSPAWN := python3 -m lab

SERVER_PACKAGES := mmdebstrap debian-archive-keyring systemd-container openssh-client iproute2 nftables

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

# Root, until bootstrap.py has let `deploy` in and turned root away.
FIRST_CONTACT = $(if $(wildcard .stagecraft/servers/$(NAME)/root/etc/ssh/authorized_keys.d/deploy),,--user root)

demo: server .venv/complete ## Provision a real server from nothing, release an app, and roll back
	@.venv/bin/pyinfra -y $(FIRST_CONTACT) inventories/local.py bootstrap.py
	@.venv/bin/pyinfra -y inventories/local.py deploy.py
	@.venv/bin/python -m lab.demo $(NAME)

server: ## Boot a bare Debian server (NAME=local SUITE=trixie)
	@.ci/ensure-packages $(SERVER_PACKAGES)
	@$(NSPAWN) up $(NAME) --suite $(SUITE)

ssh: ## Log in to the server (NAME=local)
	@$(NSPAWN) ssh $(NAME)

# The tests' workers have labs of their own.
LABS = .stagecraft .stagecraft/tests .stagecraft/bench $(wildcard .stagecraft/tests-*)

clean: ## Remove all servers of this checkout and what killed runs left of them
	@for lab in $(LABS); do $(NSPAWN) --directory $$lab down --all; done

settings: .venv/complete ## Check group_data, inventories, secrets, overrides and waivers, without a server
	@.venv/bin/stagecraft settings

check: settings .venv/developing ## Lint, formatting, types, known vulnerabilities, and the settings
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	@.ci/audit requirements.lock

unit: .venv/developing ## Tests without a server, in a minute
	.venv/bin/pytest tests/unit

# One more than CI has cores: much of its time a test waits, for a service or a timer.
WORKERS = 3
PYTEST = .venv/bin/pytest --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder

ONE_SERVER = trixie or not test_converge

quick: .venv/developing ## Unit tests, and one real server: provisioned, again without a change, serving
	@.ci/ensure-packages $(SERVER_PACKAGES)
	$(PYTEST) tests/unit tests/servers/provision/test_converge.py -k '$(ONE_SERVER)'

# What takes rendered files in unit tests, of packages that start nothing; rsync is pyinfra's.
JUDGES = acl openssl php-cli mariadb-client-core redis-tools logrotate rsync

test: check ## All of it: check, and every test on real servers
	@.ci/ensure-packages $(SERVER_PACKAGES) $(JUDGES)
	$(PYTEST) $(TESTS)

bench: .venv/developing ## Measure it, side by side with stock pyinfra, bare ssh and a stock vhost; 25 minutes
	@.ci/ensure-packages $(SERVER_PACKAGES)
	@PYTHONPATH=tests/servers/support .venv/bin/python -m bench

UPGRADE = --upgrade
LOCK = .stagecraft/uv/bin/uv pip compile --universal $(UPGRADE) --quiet \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links

lock: .stagecraft/uv/complete ## Re-make the lock files from pyproject.toml
	$(LOCK) --group pyproject.toml:uv --output-file requirements-uv.lock
	$(LOCK) --group pyproject.toml:build --output-file requirements-build.lock
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group pyproject.toml:judges --output-file requirements-judges.lock

# A .venv of its own: the lock must be makeable before there is one.
.stagecraft/uv/complete: requirements-uv.lock
	@python3 -m venv --clear .stagecraft/uv
	@.stagecraft/uv/bin/$(INSTALL) -r requirements-uv.lock
	@touch $@

# What has no wheel is built by what is installed already, never by what pip fetches for it.
INSTALL := pip install --quiet --require-hashes --no-build-isolation

.venv/complete: requirements.lock requirements-build.lock pyproject.toml
	@echo "Making .venv from requirements.lock"
	@python3 -c 'import ensurepip' 2>/dev/null || .ci/ensure-packages python3-venv
	@python3 -m venv --clear .venv
	@.venv/bin/$(INSTALL) -r requirements-build.lock
	@.venv/bin/$(INSTALL) -r requirements.lock
	@.venv/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Apart from what runs: the machine with the keys to all servers needs no test tools.
.venv/developing: .venv/complete requirements-dev.lock requirements-judges.lock
	@echo "Adding what tests and checks need, from requirements-dev.lock and requirements-judges.lock"
	@.venv/bin/$(INSTALL) -r requirements-dev.lock
	@.venv/bin/python -m venv --clear .venv/judges
	@.venv/judges/bin/$(INSTALL) -r requirements-build.lock
	@.venv/judges/bin/$(INSTALL) -r requirements-judges.lock
	@touch $@

.PHONY: help demo server ssh clean settings check unit quick test bench lock
