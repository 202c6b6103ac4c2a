"""A real ACME CA for names below .test: Let's Encrypt's Pebble and its DNS, on one server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from lab.server import LabServer

VALIDITY_DAYS = 6

REFUSED = "refused.askpro.test"
"""A name that this CA signs for nobody."""

SETUP = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends pebble curl
mkdir -p /etc/pebble
cd /etc/pebble
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \
    -subj /CN=pebble -addext subjectAltName=IP:{address} -keyout key.pem -out cert.pem
cat > config.json
cat > /etc/systemd/system/challtestsrv.service <<UNIT
[Service]
ExecStart=/usr/bin/pebble-challtestsrv -dns01 :53 -management :8055 -defaultIPv4 "" \
    -defaultIPv6 "" -http01 "" -https01 "" -tlsalpn01 "" -doh ""
UNIT
cat > /etc/systemd/system/pebble.service <<UNIT
[Service]
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=1
ExecStart=/usr/bin/pebble -config /etc/pebble/config.json -dnsserver 127.0.0.1:53
UNIT
systemctl start challtestsrv pebble
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    curl -sk -o /dev/null https://127.0.0.1:14000/dir && exit 0
    sleep 0.3
done
systemctl status pebble challtestsrv
exit 1
"""


@dataclass(frozen=True)
class Pebble:
    """The running CA; one nonce in a hundred is rejected. certbot tries a rejected one again
    once: at Pebble's one in twenty, two in a row would end every few runs of the suite."""

    server: LabServer

    @property
    def directory(self) -> str:
        return f"https://{self.server.address}:14000/dir"

    @property
    def https_certificate(self) -> str:
        """What clients must trust to talk to the directory (PEM)."""
        return self.server.ssh("cat /etc/pebble/cert.pem").stdout

    @property
    def root(self) -> str:
        """The CA certificate that signs what it issues (PEM)."""
        context = ssl.create_default_context(cadata=self.https_certificate)
        url = f"https://{self.server.address}:15000/roots/0"
        with urlopen(url, context=context, timeout=10) as response:
            return response.read().decode()

    def resolve(self, names: Iterable[str], address: str) -> None:
        """Has the DNS answer these names with the address, and with no other."""
        for name in names:
            self._tell_dns("clear-a", {"host": name})
            self._tell_dns("add-a", {"host": name, "addresses": [address]})

    def _tell_dns(self, verb: str, data: dict[str, Any]) -> None:
        self.server.ssh(f"curl -sf -d '{json.dumps(data)}' http://127.0.0.1:8055/{verb}")


def set_up(server: LabServer) -> Pebble:
    configuration = {
        "pebble": {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/etc/pebble/cert.pem",
            "privateKey": "/etc/pebble/key.pem",
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": VALIDITY_DAYS * 86400,
            "domainBlocklist": [REFUSED],
        }
    }
    script = SETUP.format(address=server.address)
    server.ssh(f"cat > /root/setup.sh <<'END'\n{script}\nEND")
    server.ssh("sh /root/setup.sh", input=json.dumps(configuration), timeout=180)
    return Pebble(server)
