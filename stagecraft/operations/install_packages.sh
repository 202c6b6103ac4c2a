# Installs Debian packages. $1 lists units to mask unless they exist already, the rest are packages.
set -eu
units=$1
shift
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

known() { # whether apt has every one of them
    for name; do apt-cache show --no-all-versions -- "$name" >/dev/null 2>&1 || return 1; done
}
newest_list() { find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -newerct '1 day ago' | head -n 1; }
changed_source() { find /etc/apt/sources.list.d /etc/apt/preferences.d -newer /var/lib/apt/lists -name 'stagecraft-*'; }

if [ -z "$(newest_list)" ] || [ -n "$(changed_source)" ] || ! known "$@"; then
    apt-get update -q -o DPkg::Lock::Timeout=300
fi
for package; do
    known "$package" || {
        echo "no package $package in this server's apt sources;" \
            "declare one that has it in group_data/all.yml under servers: apt_sources:" >&2
        exit 1
    }
done

install() {
    apt-get install -q -y --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
resolves() { install --simulate "$@" >/dev/null 2>&1; }

# Packages start their service at once; a masked unit stays down and free of ports.
for unit in $units; do
    [ "$(systemctl show --property=LoadState --value -- "$unit")" != not-found ] ||
        ln -sfn /dev/null "/etc/systemd/system/$unit"
done

# What comes from an archive with a low pin may need newer libraries than Debian's. Only the solver
# of apt 3.0 (Debian 13) fetches those from there, too, and nothing that is not needed.
below_pins="--solver=3.0 --no-strict-pinning"
if ! resolves -- "$@" && resolves $below_pins -- "$@"; then
    install $below_pins -- "$@"
else
    install -- "$@"
fi
