# Installs Debian packages. $1 is the environment's manifest, $2 lists units to mask unless they
# exist already, $3 is `keep` where what is installed must keep its version, else
# `upgrade`, the rest are packages.
set -eu
manifest=$1 units=$2 others=$3
shift 3
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

newest_list() { find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -newerct '1 day ago' | head -n 1; }
changed_source() { find /etc/apt/sources.list.d /etc/apt/preferences.d -newer /var/lib/apt/lists -name 'stagecraft-*'; }

# Offline, systemctl starts, stops and restarts nothing for a package: neither Debian's instances nor
# what others run here. Ours start when they are configured.
install() {
    SYSTEMD_OFFLINE=1 apt-get install -q -y --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
resolves() { install --simulate "$@" >/dev/null 2>&1; }

# Packages that a killed run left half way, or its last changes, which dpkg has not yet entered.
interrupted() { [ -n "$(dpkg --audit)$(ls /var/lib/dpkg/updates)" ]; }
half_unpacked() {
    dpkg-query --show --showformat='${db:Status-Eflag} ${Package}:${Architecture}\n' | sed -n 's/^reinstreq //p'
}
configure() { # dpkg does not wait for another one, as apt does
    patience=150
    until said=$(SYSTEMD_OFFLINE=1 dpkg --configure -a --force-confdef --force-confold 2>&1); do
        case $said in
            *lock*) [ $((patience -= 1)) -gt 0 ] && sleep 2 && continue ;;
        esac
        return 1
    done
}

if interrupted; then
    # First of all: apt refuses to work before dpkg has entered its last changes.
    configure && configured=yes || configured=
    half_unpacked=$(half_unpacked)
    if [ -n "$half_unpacked" ]; then
        # Cut off in the middle of unpacking, a package has to come again.
        # shellcheck disable=SC2086 # a list of words
        install --fix-broken --reinstall -- $half_unpacked
        configure && configured=yes || configured=
    fi
    [ -n "$configured" ] || { echo "$said" >&2; exit 1; }
fi

solver=
if [ -z "$(newest_list)" ] || [ -n "$(changed_source)" ] || ! resolves -- "$@"; then
    apt-get update -q -o DPkg::Lock::Timeout=300
    if ! resolves -- "$@"; then
        for package; do
            apt-cache show --no-all-versions -- "$package" >/dev/null 2>&1 || {
                echo "no package $package in this server's apt sources;" \
                    "declare one that has it in group_data/all.yml under servers: apt_sources:" >&2
                exit 1
            }
        done
        # What comes from an archive with a low pin may need newer libraries than Debian's. Only the
        # solver of apt 3.0 (Debian 13) fetches those from there, too, and nothing that is not needed.
        solver="--solver=3.0 --no-strict-pinning"
        resolves $solver -- "$@" || solver=
    fi
fi

# The lists may be newer than those that the plan was made from.
upgrades() { install --simulate $solver -- "$@" | sed -nE 's/^Inst (\S+) \[(\S+)\] \((\S+) .*/\1 \2 → \3/p'; }
if [ "$others" = keep ] && [ -n "$(upgrades "$@")" ]; then
    echo "this would upgrade what others on this server may use; --data upgrade=true allows it:" >&2
    upgrades "$@" >&2
    exit 1
fi

# A masked unit stays down and free of ports, after a reboot, too.
for unit in $units; do
    [ "$(systemctl show --property=LoadState --value -- "$unit")" != not-found ] ||
        ln -sfn /dev/null "/etc/systemd/system/$unit"
done

for package; do
    record=$(printf '{"package": "%s"}' "$package")
    grep -qxF -- "$record" "$manifest" 2>/dev/null || echo "$record" >>"$manifest"
done

install $solver -- "$@"
systemctl daemon-reload
