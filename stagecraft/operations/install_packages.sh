# Installs Debian packages. $1 is the environment's manifest; $2 lists units to mask unless they exist
# already; $3 is `keep` if installed packages must keep their versions, else `upgrade`; the rest are
# packages.
set -eu
manifest=$1 units=$2 others=$3
shift 3
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

newest_list() { find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -newerct '1 day ago' | head -n 1; }
changed_source() { find /etc/apt/sources.list.d /etc/apt/preferences.d -newer /var/lib/apt/lists -name 'stagecraft-*'; }

# With SYSTEMD_OFFLINE, maintainer scripts start, stop and restart nothing: neither Debian's instances
# nor services of others. Our services start once they are configured.
install() {
    SYSTEMD_OFFLINE=1 apt-get install -q -y --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
resolves() { install --simulate "$@" >/dev/null 2>&1; }

# Whether a killed run left packages half installed, or changes that dpkg has not recorded yet.
interrupted() { [ -n "$(dpkg --audit)$(ls /var/lib/dpkg/updates)" ]; }
half_unpacked() {
    dpkg-query --show --showformat='${db:Status-Eflag} ${Package}:${Architecture}\n' | sed -n 's/^reinstreq //p'
}
configure() { # apt waits for another dpkg, dpkg does not
    patience=150
    until said=$(SYSTEMD_OFFLINE=1 dpkg --configure -a --force-confdef --force-confold 2>&1); do
        case $said in
            *lock*) [ $((patience -= 1)) -gt 0 ] && sleep 2 && continue ;;
        esac
        return 1
    done
}

if interrupted; then
    # Before everything else: apt refuses to work until dpkg has recorded its last changes.
    configure && configured=yes || configured=
    half_unpacked=$(half_unpacked)
    if [ -n "$half_unpacked" ]; then
        # Packages that were interrupted while unpacking must be installed again.
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
        # A package from an archive with a low pin may need newer libraries than Debian's. Only apt 3.0's
        # solver (Debian 13) also installs those from there, and only the needed ones.
        solver="--solver=3.0 --no-strict-pinning"
        resolves $solver -- "$@" || solver=
    fi
fi

# Checked again, because the lists may be newer than those of the plan.
upgrades() { install --simulate $solver -- "$@" | sed -nE 's/^Inst (\S+) \[(\S+)\] \((\S+) .*/\1 \2 → \3/p'; }
if [ "$others" = keep ] && [ -n "$(upgrades "$@")" ]; then
    echo "this would upgrade what others on this server may use; --data upgrade=true allows it:" >&2
    upgrades "$@" >&2
    exit 1
fi

# A masked unit stays stopped and opens no ports, even after a reboot.
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
