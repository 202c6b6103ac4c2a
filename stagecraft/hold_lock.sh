# Holds the server's lock for the run named $1 until the connection ends; the kernel frees it,
# however that happens. Taking it and naming its holder are one step for other runs: a second lock.
umask 022
mkdir -p /run/stagecraft
# Whoever can open a lock, be it to read, can hold it for good.
umask 077
exec 8>/run/stagecraft/taking 9<>/run/stagecraft/lock
chmod 600 /run/stagecraft/taking /run/stagecraft/lock
flock 8
if flock --nonblock 9; then
    echo "$1 since $(date -u '+%Y-%m-%d %H:%M:%S UTC')" >/run/stagecraft/lock
    exec 8>&-
    echo locked
    cat >/dev/null
else
    cat /run/stagecraft/lock
fi
