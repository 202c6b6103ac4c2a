# Checks sshd's configuration: it is valid, and no other file overrides ours. $effective are the declared
# settings as `sshd -T` prints them, one per line, sorted. $alone are those that sshd accepts several
# times but that may have only our values.
sshd -t || exit 1
export LC_ALL=C
found=$(mktemp)
trap 'rm -f "$found"' EXIT
sshd -T -C user=root,host=localhost,addr=127.0.0.1 | sort -u >"$found" || exit 1
wrong=$(printf '%s\n' "$effective" | sort -u | comm -23 - "$found")
for key in $alone; do
    surplus=$(grep "^$key " "$found" | grep -vxF "$effective") || true
    [ -z "$surplus" ] || wrong="$wrong
not $surplus"
done
[ -n "$wrong" ] || exit 0
echo "another file overrides ours: see /etc/ssh/sshd_config and /etc/ssh/sshd_config.d/." >&2
echo "missing from sshd's effective settings:" >&2
printf '%s\n' "$wrong" | sed '/^$/d; s/^/    /' >&2
exit 1
