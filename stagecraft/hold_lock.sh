# Holds the server's lock until the connection ends; the kernel frees it, however that happens.
# The holder's name comes as the first line on stdin.
mkdir -p /run/stagecraft
exec 9<>/run/stagecraft/lock
if flock --nonblock 9; then
    read -r holder
    echo "$holder since $(date -u '+%Y-%m-%d %H:%M:%S UTC')" >/run/stagecraft/lock
    echo locked
    cat >/dev/null
else
    cat /run/stagecraft/lock
fi
