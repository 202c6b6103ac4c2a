# Prints nft's ruleset as JSON, without the elements of sets, which can be many; then legacy iptables'
# tables: family, name, number of rules and chains with a drop policy; tab-separated.
! command -v nft >/dev/null || nft --json --terse list ruleset || exit
legacy() { # prints the tables of family $1 with program $2; the kernel lists them in the file $3
    for table in $(cat "$3" 2>/dev/null); do
        rules=unknown
        ! listing=$("$2-save" --table "$table" 2>/dev/null) ||
            rules=$(echo "$listing" | grep -c '^-A')
        drops=$(echo "$listing" | sed -n 's/^:\([^ ]*\) DROP .*/\1/p' | tr '\n' ' ')
        printf '%s\t%s\t%s\t%s\n' "$1" "$table" "$rules" "$drops"
    done
}
legacy legacy iptables-legacy /proc/net/ip_tables_names
legacy legacy6 ip6tables-legacy /proc/net/ip6_tables_names
true
