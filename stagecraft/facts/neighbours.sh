# Prints what others have on this server, and what stands where a site's own shall stand: a line for
# each, its words apart by tabs. $names, $homes and $files are the sites'; words without spaces.
mark='Managed by Stagecraft'

listeners=$({
    ss -Hltnp '( sport = :80 or sport = :443 or sport = :3306 or sport = :33060 )' | awk '{print $4, $6}'
    ss -Hlxp | awk '$5 ~ "/mysqld.sock$" {print $5, $NF}'
} 2>/dev/null | sed -nE 's/^(\S+) [^"]*"([^"]*)".*pid=([0-9]+).*/listener\t\1\t\2\t\3/p; t; s/^(\S+).*/listener\t\1/p')
echo "$listeners"
for pid in $(echo "$listeners" | cut -f 4 | sort -u); do
    printf 'unit\t%s\t' "$pid"
    grep -oE '[^/]+\.(service|scope)$' "/proc/$pid/cgroup" | tail -n 1 | grep . || echo
done

dpkg-query -W -f='${db:Status-Status}\tpackage\t${Package}\n' 'mariadb-server*' 'mysql-server*' \
    'mysql-community-server*' 'percona-server-server*' 'percona-xtradb-cluster*' 2>/dev/null |
    sed -n 's/^installed\t//p'

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
sha256sum "$@" | sed -E 's/^(\S+)  /sum\t\1\t/'
awk -v mark="$mark" '
FNR == 1 { ours = index($0, mark); rest = ""; if (!ours) print "vhost\t" FILENAME }
ours { next }
{
    sub(/#.*/, "")
    gsub(/\r/, " ")
    rest = rest " " $0
    while (match(rest, /[;{}]/)) {
        count = split(substr(rest, 1, RSTART - 1), words)
        rest = substr(rest, RSTART + 1)
        if (words[1] != "listen" && words[1] != "server_name") continue
        printf "%s", words[1]
        for (i = 2; i <= count; i++) printf "\t%s", words[i]
        print ""
    }
}' "$@"
