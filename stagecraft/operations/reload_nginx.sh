# Reloads the nginx unit $1, and returns once no old worker accepts connections. A plain reload returns
# earlier, and does not report a configuration that the master cannot apply, for instance because of a
# port in use.
master=$(systemctl show --property=MainPID --value "$1")
serving() { # the master's workers, except those that are shutting down
    for status in $(grep -lx "PPid:.$master" /proc/[0-9]*/status 2>/dev/null); do
        ! grep -qzx 'nginx: worker process' "${status%status}cmdline" 2>/dev/null || echo "$status"
    done
}
before=$(serving)
systemctl reload "$1" || exit 1
for attempt in $(seq 100); do
    [ -n "$(printf '%s\n' "$before" "$(serving)" | sort | uniq -d)" ] || exit 0
    sleep 0.1
done
echo "$1 did not load its configuration within 10 seconds:" >&2
tail -n 5 /var/log/nginx/error.log >&2
exit 1
