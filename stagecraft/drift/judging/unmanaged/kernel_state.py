"""Routes, addresses, modules and the like, which somebody has given the kernel by hand."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.unmanaged.identity import WITHOUT_PYTHON
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.errors import ServerError
from stagecraft.facts.as_found import noted
from stagecraft.facts.network import NetworkFact, Part

MANY = 32
"""The number of findings of a kind."""


@dataclass(frozen=True)
class Way:
    """What an unexplained thing of a kind means, and the command that removes it. Some are
    everywhere as the provider has them: without a record of the first day they are accepted."""

    severity: Severity
    found: str
    remedy: str
    of_provider: bool = False


LOW, HIGH, CRITICAL = Severity.LOW, Severity.HIGH, Severity.CRITICAL

WAYS = {
    "interface": Way(LOW, "packets may take it, and nothing configures it",
                     "ip link delete {first}", of_provider=True),
    "address": Way(LOW, "the machine answers to it, and nothing configures it",
                   "ip address delete {first} dev {last}", of_provider=True),
    "route": Way(HIGH, "packets take it, and nothing configures it",
                 "ip {version} route delete {words}", of_provider=True),
    "resolver": Way(HIGH, "it says what names mean, and nothing configures it",
                    "sed -i '/^nameserver *{pattern}/d' /etc/resolv.conf", of_provider=True),
    "setting": Way(LOW, "was set in the running kernel, by no file",
                   "sysctl -w {first}={usual}", of_provider=True),
    "rule": Way(HIGH, "packets may take other routes", "ip {first} rule delete priority {second}"),
    "neighbour": Way(HIGH, "packets to this address go to that machine",
                     "ip neighbour delete {first} dev {last}"),
    "namespace": Way(LOW, "has a network of its own, past the firewall",
                     "ip netns pids {words} | xargs -r kill -KILL; ip netns delete {words}"),
    "listening": Way(HIGH, "receives the packets of all others (promiscuous mode)",
                     "ip link set dev {words} promisc off"),
    "packet program": Way(CRITICAL, "sees each packet before the firewall does",
                          "ip link set dev {words} xdp off"),
    "module": Way(CRITICAL, "is of no package, or is not signed by Debian", "rmmod {words}"),
    "hidden module": Way(CRITICAL, "/proc/modules does not list it", "reboot"),
    "binary format": Way(CRITICAL, "the kernel starts a program for such files",
                         "echo -1 >/proc/sys/fs/binfmt_misc/{words}"),
    "pinned program": Way(HIGH, "it runs in the kernel", "rm {words}"),
    "probe": Way(HIGH, "it watches what programs or the kernel do",
                 "cd /sys/kernel/tracing && echo >kprobe_events; echo >uprobe_events"),
}  # fmt: skip

PROGRAMS = {"kernel.modprobe": "/sbin/modprobe", "kernel.poweroff_cmd": "/sbin/poweroff"}
"""What the kernel starts as root."""

USUAL = PROGRAMS | {"net.ipv4.ip_unprivileged_port_start": "1024"}
"""The values of settings that are not 0."""


def kernel_state(declared: Declared) -> Iterator[Finding]:
    if declared.settings.host is None:
        return
    network, first, count = ask(NetworkFact), declared.image.things, dict.fromkeys(WAYS, 0)
    if not network.parts:
        raise ServerError(WITHOUT_PYTHON)
    for part in network.unexplained:
        way = WAYS[part.kind]
        known = noted(part.kind, part.thing) in first or (way.of_provider and not first)
        if not known and count[part.kind] < MANY:
            count[part.kind] += 1
            yield finding(part, way)


def finding(part: Part, way: Way) -> Finding:
    words = part.thing.split(" ")
    quoted = [shlex.quote(word) for word in words]
    return Kind(Class.UNMANAGED, NAMES.get(part.kind, part.kind)).finding(
        part.thing,
        severity=CRITICAL if words[0] in PROGRAMS else way.severity,
        found=way.found,
        remedy=way.remedy.format(
            words=shlex.join(words[1:] if words[0] == "-6" else words),
            first=quoted[0],
            second=quoted[1 % len(words)],
            last=quoted[-1],
            pattern=re.escape(words[0]),
            usual=USUAL.get(words[0], 0),
            version="-6" if ":" in part.thing or words[0] == "-6" else "-4",
        ),
    )


NAMES = {"setting": "kernel value", "module": "kernel module", "hidden module": "kernel module"}
