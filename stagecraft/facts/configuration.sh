# Prints the files that nginx loads, with ctime and checksum, and the directories from which it loads all
# files, with a trailing slash; then, for each line of $loads (a unit and paths), what is at or below
# those paths. NUL-terminated words, as base64. Avoids nginx -T, which opens logs and looks up names.
included=/etc/nginx/nginx.conf
known=
directories=
while [ -n "$included" ]; do
    known="$known $included"
    patterns=$(sed -nE 's/#.*//; s/^(.*[[:space:];{}])?include[[:space:]]+["'\'']?([^;"'\'']+)["'\'']?[[:space:]]*;.*/\2/p' $included)
    directories="$directories $(printf '%s\n' "$patterns" | sed -nE 's|/[^/]*[*?[].*||; T; s|^[^/]|/etc/nginx/&|; p')"
    included=
    cd /etc/nginx
    for file in $patterns; do
        [ -f "$file" ] || continue
        case $file in /*) ;; *) file=/etc/nginx/$file ;; esac
        case " $known $included " in *" $file "*) ;; *) included="$included $file" ;; esac
    done
done 2>/dev/null
{
    for file in $known; do readlink -f "$file"; done | sort -u | {
        set --
        while read -r file; do set -- "$@" "$file"; done
        [ $# = 0 ] || {
            find -P $known "$@" -printf 'nginx.service\0%C@\0%p\0'
            find /etc/nginx/nginx.conf $directories -maxdepth 0 -type d -printf 'nginx.service\0%C@\0%p/\0'
            sha256sum --zero "$@" | sed -z 's/^\([^ ]*\)  /sum\x00\1\x00/'
        }
    }
    printf '%s\n' "$loads" | while read -r unit paths; do
        find -P $paths -type l -printf "$unit\\0%C@\\0%p\\0" -o -type d -printf "$unit\\0%C@\\0%p/\\0"
        find -L $paths -type f -printf "$unit\\0%C@\\0%p\\0"
    done
} 2>/dev/null | base64
