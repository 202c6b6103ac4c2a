# Prints each socket that waits for others: protocol, address with port, process and systemd unit, a
# NUL after each, as base64. What follows the last pid is ss's own; what precedes it is a name that
# the process chose, and a user's own systemd names units as it likes: only the system's count.
sockets=$(ss -Hltunp) || exit
echo "$sockets" | sed -nE 's/^(\S+) +\S+ +\S+ +\S+ +(\S+) +\S+ +users:.*,pid=([0-9]+),fd=[0-9]+\)\)\s*$/\1 \2 \3/p; t; s/^(\S+) +\S+ +\S+ +\S+ +(\S+) .*/\1 \2/p' |
    while read -r protocol address pid; do
        process= unit=
        if [ -n "$pid" ]; then
            IFS= read -r process <"/proc/$pid/comm"
            IFS= read -r group <"/proc/$pid/cgroup"
            case $group in *:/system.slice/*) unit=${group##*/} ;; esac
        fi
        printf '%s\0%s\0%s\0%s\0' "$protocol" "$address" "$process" "$unit"
    done 2>/dev/null | base64 --wrap=0
