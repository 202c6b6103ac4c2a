# Prints each socket that waits for others: protocol, address with port, process and systemd unit,
# their fields apart by tabs.
sockets=$(ss -Hltunp) || exit
echo "$sockets" | sed -nE 's/^(\S+) +\S+ +\S+ +\S+ +(\S+) +\S+ +users:\(\("([^"]*)",pid=([0-9]+).*/\1\t\2\t\3\t\4/p; t; s/^(\S+) +\S+ +\S+ +\S+ +(\S+) .*/\1\t\2\t\t/p' |
    while IFS='	' read -r protocol address process pid; do
        unit=
        if [ -n "$pid" ] && IFS= read -r group <"/proc/$pid/cgroup"; then
            unit=${group##*/}
        fi
        printf '%s\t%s\t%s\t%s\n' "$protocol" "$address" "$process" "$unit"
    done 2>/dev/null
