# Prints the account's user id, Debian's version, architecture, memory, IPv6, name servers and the
# installed versions that templates depend on: KEY=value.
echo "uid=$(id -u)"
grep -E '^(ID|VERSION_ID)=' /etc/os-release
echo "architecture=$(dpkg --print-architecture)"
awk '/^MemTotal:/ { print "memory_kb=" $2 }' /proc/meminfo
[ -e /proc/net/if_inet6 ] && echo ipv6=yes || echo ipv6=no
sed -nE 's/^nameserver[[:blank:]]+([^ \t]+).*/resolver=\1/p' /etc/resolv.conf 2>/dev/null
dpkg-query -W -f='${db:Status-Status} ${Package}=${Version}\n' nginx openssl 2>/dev/null |
    sed -n 's/^installed //p'
true
