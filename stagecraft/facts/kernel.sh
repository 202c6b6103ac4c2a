# Prints the running kernel and the installed ones, mounts, fstab, sysctl.d, and the live values of the
# settings in it: a kind and its value. Leaves out those that a container shares with its host and
# cannot set.
echo "running $(uname -r)"
find /boot -maxdepth 1 -name 'vmlinuz-*' -printf 'image %C@ %f\n' 2>/dev/null | sed 's/ vmlinuz-/ /'
sed 's/^/mount /' /proc/self/mountinfo
sed 's/^/fstab /' /etc/fstab 2>/dev/null
declared=$(systemd-analyze cat-config sysctl.d 2>/dev/null)
echo "$declared" | sed 's/^/declared /'
set --
for path in $(echo "$declared" | sed -nE 's/^ *([a-z][^= *]*) *=.*/\1/p' | tr . / | sort -u); do
    [ ! -w "/proc/sys/$path" ] || set -- "$@" "/proc/sys/$path"
done
# Not the shell's read, which reads byte by byte: the kernel only returns a value whole.
[ $# = 0 ] || grep -H '' -- "$@" | sed 's/^/live /'
true
