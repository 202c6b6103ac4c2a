"""Prints how the kernel reaches others, what it does with their packets, and what has been loaded
into it: a kind, a thing, and why it is there, empty for a thing that nothing explains;
NUL-terminated, as base64."""

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

CONFIGURATION = (
    "/etc/network/interfaces", "/etc/network/interfaces.d/*", "/etc/netplan/*", "/run/netplan/*",
    "/etc/systemd/network/*", "/run/systemd/network/*", "/etc/NetworkManager/system-connections/*",
    "/var/lib/dhcp/*", "/run/systemd/netif/leases/*", "/var/lib/dhcpcd/*", "/etc/dhcpcd.conf",
    "/var/lib/NetworkManager/*", "/run/resolvconf/interface/*",
)  # fmt: skip

OF_CONTAINERS = re.compile(r"docker\d*|br-[0-9a-f]{12}|veth[0-9a-f]+|virbr\d+|lxcbr\d+|lxdbr\d+")

BY_MODULES = re.compile(r"(?:tunl|sit|gre|gretap|erspan|ip6tnl|ip6gre|ip_vti|ip6_vti|dummy|bond)0")
"""Idle interfaces that come with a module."""

USUAL = {
    "net.ipv4.ip_unprivileged_port_start": "1024",
    "net.ipv4.ip_forward": "0",
    "net.ipv4.ip_nonlocal_bind": "0",
    "net.ipv4.conf.all.proxy_arp": "0",
    "net.ipv4.conf.all.route_localnet": "0",
    "net.ipv4.conf.default.route_localnet": "0",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv6.conf.all.proxy_ndp": "0",
    "kernel.modprobe": "/sbin/modprobe",
    "kernel.poweroff_cmd": "/sbin/poweroff",
}

USUAL_RULES = {(0, "local"), (32766, "main"), (32767, "default")}

Row = tuple[str, str, str]


def ip(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *words], capture_output=True, check=True)
    return list(filter(None, json.loads(done.stdout or "[]")))


@cache
def configuration() -> str:
    files = (path for place in CONFIGURATION for path in Path("/").glob(place[1:]))
    return "\n".join(read(path) for path in files if path.is_file())


def read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def configured(word: str) -> str:
    """Whether files or leases of the network have the word."""
    found = re.search(rf"(?<![\w.:-]){re.escape(word)}(?![\w:-]|\.\d)", configuration())
    return "configured" if found else ""


@cache
def container() -> bool:
    return not subprocess.run(["systemd-detect-virt", "--container", "--quiet"]).returncode


def interfaces() -> Iterator[Row]:
    for link in ip("-details", "link", "show"):
        name, kind = link["ifname"], link.get("linkinfo", {}).get("info_kind", "")
        idle = BY_MODULES.fullmatch(name) and "UP" not in link["flags"]
        why = "hardware" if not kind or "link_netnsid" in link else configured(name)
        yield "interface", f"{name} {kind}".strip(), "idle" if idle else of_containers(name) or why
        if link.get("promiscuity") and not link.get("master"):
            yield "listening", name, ""
        if "xdp" in link:
            yield "packet program", name, ""


def of_containers(name: str) -> str:
    engines = ("docker.service", "libvirtd.service", "lxc-net.service", "lxd.service")
    up = any(Path("/sys/fs/cgroup", tree, unit).exists() for unit in engines
             for tree in ("system.slice", "systemd/system.slice"))  # fmt: skip
    return "containers" if up and OF_CONTAINERS.fullmatch(name) else ""


def addresses() -> Iterator[Row]:
    for link in ip("address", "show"):
        for its in link["addr_info"]:
            local = its.get("local", "")
            by_kernel = its["scope"] == "link" or local == "::1" or local.startswith("127.0.0.1")
            given = its.get("dynamic") or its.get("temporary") or by_kernel
            why = "given" if given else of_containers(link["ifname"]) or configured(local)
            yield "address", f"{local}/{its['prefixlen']} {link['ifname']}", why


def connected() -> set[tuple[str, str]]:
    return {
        (str(ip_interface(f"{its['local']}/{its['prefixlen']}").network), link["ifname"])
        for link in ip("address", "show")
        for its in link["addr_info"]
        if "local" in its
    }


def routes() -> Iterator[Row]:
    near = connected()
    for family in ("-4", "-6"):
        for route in ip(family, "route", "show", "table", "all"):
            if route.get("table") == "local":
                continue
            target, device = route["dst"], route.get("dev", "")
            gateway = route.get("gateway", route.get("via", {}).get("host", ""))
            table = f" table {route['table']}" if "table" in route else ""
            # A host's route is the network of its address, too.
            direct = not gateway and ({(target, device), (f"{target}/128", device)} & near)
            kernel = route.get("protocol") == "kernel" and target.startswith(("fe80:", "ff00:"))
            router = route.get("protocol") == "ra" and gateway.startswith("fe80:")
            why = "near" if direct or kernel or router else configured(gateway or target)
            kind = f"{route['type']} " if "type" in route else ""
            via, dev = f" via {gateway}" * bool(gateway), f" dev {device}" * bool(device)
            thing = f"{kind}{target}{via}{dev}{table}"
            yield (
                "route",
                f"{family} {thing}" if family == "-6" else thing,
                of_containers(device) or why,
            )


def rules() -> Iterator[Row]:
    for family in ("-4", "-6"):
        for rule in ip(family, "rule", "show"):
            priority, table = rule.pop("priority"), rule.get("table", "")
            usual = (priority, table) in USUAL_RULES and rule == {"src": "all", "table": table}
            words = " ".join(f"{key} {value}" for key, value in rule.items() if value is not None)
            yield "rule", f"{family} {priority} {words}", "usual" if usual else ""


def neighbours() -> Iterator[Row]:
    for its in ip("neighbour", "show", "nud", "permanent"):
        if not its["dst"].startswith(("ff0", "224.", "255.")) and "lladdr" in its:
            yield "neighbour", f"{its['dst']} {its['lladdr']} {its['dev']}", ""


def namespaces() -> Iterator[Row]:
    for path in Path("/run/netns").glob("*"):
        yield "namespace", path.name, ""


def resolvers() -> Iterator[Row]:
    by_resolved = Path("/etc/resolv.conf").resolve().is_relative_to("/run/systemd/resolve")
    for line in read(Path("/etc/resolv.conf")).splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            yield "resolver", rest[0], "resolved" if by_resolved else configured(rest[0])


def settings() -> Iterator[Row]:
    """Those in sysctl.d are a matter of another check."""
    said = subprocess.run(["systemd-analyze", "cat-config", "sysctl.d"], capture_output=True)
    text = said.stdout.decode("utf-8", "replace")
    declared = {line.partition("=")[0].strip().replace("/", ".") for line in text.splitlines()}
    for key, usual in USUAL.items():
        path = Path("/proc/sys", key.replace(".", "/"))
        if key in declared or not os.access(path, os.W_OK):
            continue
        value = path.read_text().strip()
        router = value != usual and "forward" in key and of_containers("docker0")
        yield "setting", f"{key} {value}", "usual" if value == usual else router or ""


def kernel() -> Iterator[Row]:
    """Not in a container, which shares these with its host."""
    if container():
        return
    directory = Path("/lib/modules", os.uname().release)
    known = {
        re.sub("-", "_", Path(line.partition(":")[0]).name.partition(".ko")[0])
        for name in ("modules.dep", "modules.builtin")
        for line in read(directory / name).splitlines()
    }
    listed = {line.split()[0]: line for line in read(Path("/proc/modules")).splitlines()}
    for name, line in listed.items():
        tainted = re.search(r"\([^)]*[OEF][^)]*\)$", line)
        yield "module", name, "packaged" if name in known and not tainted else ""
    for path in Path("/sys/module").glob("*/initstate"):
        if path.parent.name not in listed:
            yield "hidden module", path.parent.name, ""
    packaged = {path.stem for place in ("/usr/lib/binfmt.d", "/usr/share/binfmts")
                for path in Path(place).glob("*")}  # fmt: skip
    for path in Path("/proc/sys/fs/binfmt_misc").glob("*"):
        if path.name not in ("register", "status"):
            yield "binary format", path.name, "packaged" if path.name in packaged else ""
    for path in Path("/sys/fs/bpf").rglob("*"):
        yield "pinned program", str(path), "systemd" if "systemd" in path.parts else ""
    for name in ("kprobe_events", "uprobe_events"):
        for line in read(Path("/sys/kernel/tracing", name)).splitlines()[:20]:
            yield "probe", line, ""


parts = (interfaces, addresses, routes, rules, neighbours, namespaces, resolvers, settings, kernel)
rows = dict.fromkeys(row for part in parts for row in part())
printed = "".join(f"{field}\0" for row in rows for field in row)
sys.stdout.write(b64encode(printed.encode("utf-8", "surrogateescape")).decode())
