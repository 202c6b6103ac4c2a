# Holds the server's lock for the run named $1 until the connection ends; the kernel then frees it. A
# second lock makes taking it and recording its holder one step for other runs.
umask 022
mkdir -p /run/stagecraft
# Whoever can open a lock file, even read-only, can hold the lock forever.
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
