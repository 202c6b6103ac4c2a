# Everything here can be run again at any time.

NAME ?= local
SUITE ?= trixie
DOMAIN := askpro.test

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The servers' library needs nothing but the standard library, so no .venv before the first server.
NSPAWN := python3 -m stagecraft.nspawn

SERVER_PACKAGES := mmdebstrap debian-archive-keyring systemd-container openssh-client iproute2 nftables

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

# Root, until bootstrap.py has let `deploy` in and turned root away.
FIRST_CONTACT = $(if $(wildcard .stagecraft/servers/$(NAME)/root/etc/ssh/authorized_keys.d/deploy),,--user root)

demo: server .venv/complete ## Provision a real server from nothing, and prove that it serves
	@.venv/bin/pyinfra -y $(FIRST_CONTACT) inventories/local.py bootstrap.py
	@.venv/bin/pyinfra -y inventories/local.py deploy.py
	@.venv/bin/python -m stagecraft.proof $(DOMAIN) $(NAME)

server: ## Boot a bare Debian server (NAME=local SUITE=trixie)
	@.ci/ensure-packages $(SERVER_PACKAGES)
	@$(NSPAWN) up $(NAME) --suite $(SUITE)

ssh: ## Log in to the server (NAME=local)
	@$(NSPAWN) ssh $(NAME)

# The tests' workers have labs of their own.
LABS = .stagecraft .stagecraft/tests .stagecraft/bench $(wildcard .stagecraft/tests-*)

clean: ## Remove all servers of this checkout and what killed runs left of them
	@for lab in $(LABS); do $(NSPAWN) --directory $$lab down --all; done

check: .venv/complete ## Lint, formatting, types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

unit: .venv/complete ## Tests without a server, in seconds
	.venv/bin/pytest tests/unit

# One more than CI has cores: much of its time a test waits, for a service or a timer.
WORKERS = 3

test: check ## All of it: check, and every test on real servers
	@.ci/ensure-packages $(SERVER_PACKAGES) acl openssl
	.venv/bin/pytest --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder

bench: .venv/complete ## Measure it, side by side with stock pyinfra and bare ssh; 20 minutes
	@.ci/ensure-packages $(SERVER_PACKAGES)
	@PYTHONPATH=tests/servers .venv/bin/python -m bench

# uv has a .venv of its own: the lock must be makeable before there is one.
lock: ## Re-make requirements.lock from pyproject.toml
	@test -x .stagecraft/uv/bin/uv || { python3 -m venv .stagecraft/uv && .stagecraft/uv/bin/pip install --quiet uv; }
	.stagecraft/uv/bin/uv pip compile pyproject.toml --extra dev --universal --upgrade --quiet \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock

.venv/complete: requirements.lock pyproject.toml
	@echo "Making .venv from requirements.lock"
	@python3 -c 'import ensurepip' 2>/dev/null || .ci/ensure-packages python3-venv
	@python3 -m venv --clear .venv
	@.venv/bin/pip install --quiet --require-hashes -r requirements.lock
	@.venv/bin/pip install --quiet --no-deps --editable .
	@touch $@

.PHONY: help demo server ssh clean check unit test bench lock
