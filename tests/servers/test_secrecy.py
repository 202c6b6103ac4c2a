"""No secret leaves the files that it belongs in: not in output, argv, logs or temporary files."""

from __future__ import annotations

import threading
from pathlib import Path

import yaml
from provisioned import Provisioned

from stagecraft.secrets import secrets_for


def rotate_all(host: Provisioned, site: str) -> None:
    """Forgets the site's secrets; a throwaway server makes them anew."""
    path = host.project.directory / ".stagecraft/secrets/staging.yml"
    values = yaml.safe_load(path.read_text())
    values[site] = {}
    path.write_text(yaml.safe_dump(values))


def secrets_of(host: Provisioned, site: str) -> set[str]:
    secrets_for.cache_clear()
    return {s.reveal() for s in secrets_for("staging", host.project.directory)[site].values()}


def everything_run_here() -> str:
    """The command lines of this machine's processes; the servers' are among them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def test_a_run_that_changes_every_secret_shows_none(trixie: Provisioned) -> None:
    before = secrets_of(trixie, "askpro")
    secrets_file = trixie.project.directory / ".stagecraft/secrets/staging.yml"
    old = secrets_file.read_text()
    rotate_all(trixie, "askpro")
    after = secrets_of(trixie, "askpro")
    assert not before & after
    seen: list[str] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.01):
            seen.append(everything_run_here())

    sampler = threading.Thread(target=sample)
    sampler.start()
    outputs = [
        trixie.project.pyinfra("staging", *arguments).output
        for arguments in (
            ("--dry", "--diff", "-vvv", "--debug-all"),
            ("--dry", "--json"),
            ("-y", "-vvv", "--debug-all"),
        )
    ]
    over.set()
    sampler.join()
    assert len(seen) > 50
    assert " DB_PASSWORD differs (secret)" in outputs[0]
    for secret in before | after:
        assert not any(secret in output for output in outputs)
        assert not any(secret in sample for sample in seen)
    leaks = "/var/log /run/log /run/stagecraft /tmp /var/tmp /root /var/lib/stagecraft"
    patterns = "\n".join(before | after)
    assert trixie.ssh(f"grep -rlFf - {leaks} 2>/dev/null || true", input=patterns) == ""
    journal = "journalctl --no-pager --quiet | grep -Ff /run/patterns || true"
    assert trixie.ssh(f"cat >/run/patterns; {journal}; rm /run/patterns", input=patterns) == ""
    secrets_file.write_text(old)
    secrets_of(trixie, "askpro")
    trixie.project.apply("staging")
    assert trixie.web.get("https://staging.askpro.test/health").status == 200


def test_a_refused_tree_shows_no_secret_and_changes_nothing(trixie: Provisioned) -> None:
    """The new nginx tree holds password hashes beside the template that is wrong."""
    settings = trixie.project.directory / "group_data/staging.yml"
    before = settings.read_text()
    listing = "find /etc/nginx -type f -exec sha256sum {} + | sort"
    present = trixie.ssh(listing)
    trixie.ssh("echo 'nonsense;' > /etc/nginx/conf.d/foreign.conf")
    settings.write_text(before.replace("upload_limit: 2M", "upload_limit: 3M"))
    run = trixie.project.pyinfra("staging", "-y", "-vvv")
    settings.write_text(before)
    trixie.ssh("rm /etc/nginx/conf.d/foreign.conf")
    assert run.code == 1
    assert "refused by nginx -t" in run.output
    assert "nothing was changed on this server" in run.output
    assert 'unknown directive "nonsense"' in run.output
    assert not any(secret in run.output for secret in secrets_of(trixie, "askpro"))
    assert trixie.ssh(listing) == present
    assert trixie.web.get("https://shop.test/health").status == 200
    trixie.project.apply("staging")
