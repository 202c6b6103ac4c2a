# Prints what nginx loads, each file with its last change and its sum, and what changed last of what
# all of PHP-FPM's instances load, for each version in $php; words apart by tabs. nginx -T would tell,
# too, but it also opens logs and looks up names.
included=/etc/nginx/nginx.conf
known=
while [ -n "$included" ]; do
    known="$known $included"
    patterns=$(sed -nE 's/#.*//; s/^(.*[[:space:];{}])?include[[:space:]]+["'\'']?([^;"'\'']+)["'\'']?[[:space:]]*;.*/\2/p' $included)
    included=
    cd /etc/nginx
    for file in $patterns; do
        [ -f "$file" ] || continue
        case $file in /*) ;; *) file=/etc/nginx/$file ;; esac
        case " $known $included " in *" $file "*) ;; *) included="$included $file" ;; esac
    done
done 2>/dev/null
for file in $known; do readlink -f "$file"; done 2>/dev/null | sort -u | {
    set --
    while read -r file; do set -- "$@" "$file"; done
    [ $# = 0 ] || { find -P $known "$@" -printf 'nginx\t%C@\t%p\n'; sha256sum "$@" | sed 's/  /\t/; s/^/sum\t/'; }
} 2>/dev/null
for version in $php; do
    set -- /etc/php/$version/fpm/php.ini /etc/php/$version/fpm/conf.d
    { find -P "$@" -type l -printf '%C@\t%p\n'; find -L "$@" -type f -printf '%C@\t%p\n'; } 2>/dev/null |
        sort -n | tail -n 1 | sed 's/^/php\t/'
done
