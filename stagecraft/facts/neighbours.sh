# Prints what others have on this server, and what exists at the names and paths of our sites;
# tab-separated. $names, $homes and $files belong to the sites, $database_socket, $database_ports and
# $database_packages to their engine; no word contains a space.
mark='Managed by Stagecraft'
tab=$(printf '\t')

# A process can bind a socket with the database's path in its own mount namespace, so only the inode that
# root sees there counts. ss prints the kernel's device number, split as libc would.
database=$(stat -c '%i %Hd %Ld' "$database_socket" 2>/dev/null | while read -r inode major minor; do
    device=$((major << 20 | minor))
    echo "ino:$inode dev:$((device >> 8 & 4095))/$((device & 255 | device >> 12 & ~255))"
done)

# Process names could contain line ends, which ss prints as they are; so it only lists sockets.
sockets=$({
    ss -Hltne "( sport = :80 or sport = :443$(printf ' or sport = :%s' $database_ports) )" |
        sed -nE 's/^\S+ +\S+ +\S+ +(\S+) .* ino:([0-9]+) .*/\2 \1/p'
    ss -Hlxe "src = unix:$database_socket or src = unix:/var$database_socket" |
        grep -F " ${database:-none} " | awk '{print $6, $5}'
} 2>/dev/null)
listeners=$({
    find /proc/[0-9]*/fd -lname 'socket:*' -printf '%l %h\n' 2>/dev/null | tr -c '0-9\n' ' '
    echo sockets
    printf '%s\n' "$sockets"
} | awk '
    $1 == "sockets" { listed = 1; next }
    !listed { if (!($1 in pid) || $2 < pid[$1]) pid[$1] = $2; next }
    NF { print $2, pid[$1] }' | while read -r address pid; do
    process=
    [ -z "$pid" ] || IFS=$tab read -r process rest <"/proc/$pid/comm"
    printf 'listener\t%s%s\n' "$address" "${pid:+$tab$process$tab$pid}"
done 2>/dev/null)
printf '%s\n' "$listeners"
for pid in $(printf '%s\n' "$listeners" | cut -f 4 | sort -u); do
    printf 'unit\t%s\t' "$pid"
    grep -oE '[^/]+\.(service|scope)$' "/proc/$pid/cgroup" | tail -n 1 | grep . || echo
done

# A process in nginx's unit is nginx; titles prove nothing, because every process chooses its own. ps
# prints `-` for an unknown unit, and replaces control characters.
ps -u www-data -o unit:256=,args:80= | sed -nE '/^nginx\.service /d
    s/^(\S+) +php-fpm: pool (\S+)$/as-nginx\tthe PHP-FPM pool \2\t\1/p; t
    s/^(\S+) +(\S+).*/as-nginx\t\2\t\1/p' | sort -u

set -f
dpkg-query -W -f='${db:Status-Status}\tpackage\t${Package}\n' $database_packages 2>/dev/null |
    sed -n 's/^installed\t//p'
set +f

getent passwd $names | awk -F: -v OFS='\t' '{print "user", $1, $6}'
getent group $names | while IFS=: read -r group _ gid members; do
    primary=$(getent passwd | awk -F: -v gid="$gid" -v own="$group" '$4 == gid && $1 != own {print $1}')
    printf 'group\t%s\t%s\t%s\n' "$group" "$gid" "$(echo $primary $members | tr , ' ')"
done

for name in $names; do
    renewal=/etc/letsencrypt/renewal/$name.conf
    [ ! -e "$renewal" ] ||
        printf 'lineage\t%s\t%s\n' "$name" "$(sed -n 's/^webroot_path *= *//p' "$renewal" | head -n 1)"
done

for home in $homes; do
    [ -e "$home" ] || [ -L "$home" ] || continue
    content=$(find "$home" -maxdepth 0 -type d -empty -printf empty)
    stat -c "home	%n	%F	%U:%G	${content:-full}" "$home"
done

for file in $files; do
    [ -f "$file" ] || continue
    IFS= read -r first <"$file"
    case $first in
        *"$mark"*) printf 'ours\t%s\n' "$file" ;;
        *) printf 'foreign\t%s\n' "$file" ;;
    esac
done

set --
for file in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*; do
    [ ! -f "$file" ] || set -- "$@" "$file"
done
[ $# != 0 ] || exit 0
# Names and file contents may have any bytes; the output must be lines of UTF-8.
{
    sha256sum --zero -- "$@" | tr '\001-\037\177' '?' | tr '\0' '\n' | sed -E 's/^(\S+)  /sum\t\1\t/'
    LC_ALL=C awk -v mark="$mark" '
    FNR == 1 {
        ours = index($0, mark)
        rest = ""
        path = FILENAME
        gsub(/[\001-\037\177]/, "?", path)
        if (!ours) print "vhost\t" path
    }
    ours { next }
    {
        sub(/#.*/, "")
        gsub(/\r/, " ")
        rest = rest " " $0
        while (match(rest, /[;{}]/)) {
            count = split(substr(rest, 1, RSTART - 1), words)
            rest = substr(rest, RSTART + 1)
            if (count < 2 || words[1] !~ /^(listen|server_name|server_names_hash_bucket_size)$/) continue
            printf "%s", words[1]
            for (i = 2; i <= count; i++) printf "\t%s", words[i]
            print ""
        }
    }' "$@"
} | iconv -c -f UTF-8 -t UTF-8
