# Prints what runs on older files than those on disk could tell: when nginx's workers and PHP-FPM's
# children started, and which units run files that are gone. Words apart by tabs.
processes=$(ps -eo pid=,unit:256=,args:40=) || exit
processes=$(echo "$processes" | sed -E 's/^ +//; s/ +/\t/; s/ +/\t/')

# The kernel counts from the boot, in hundredths of a second.
read -r up _ </proc/uptime
booted=$(date +%s.%N | awk -v up="$up" '{printf "%.2f", $1 - up}')
{
    echo "$processes" | sed -nE 's/^([0-9]+)\t[^\t]*\tnginx: worker process$/\1 worker -/p
        s/^([0-9]+)\t([^\t]+)\tphp-fpm: pool .*/\1 child \2/p'
    echo stat
    cat /proc/[0-9]*/stat 2>/dev/null
} | awk -v OFS='\t' -v booted="$booted" '
    $1 == "stat" { told = 1; next }
    !told { kind[$1] = $2; unit[$1] = $3; next }
    $1 in kind { pid = $1; sub(/.*\) /, ""); printf "%s\t%s\t%.2f\n", kind[pid], unit[pid], booted + $20 / 100 }'

# Only what a package replaces; not what programs make up themselves, in memory or /tmp. A program that
# a sandbox has mounted by itself (ExecPaths=) is called `/` there.
{
    echo "$processes" | cut -f 1,2
    echo maps
    grep -E ' r-xp .* /((usr|opt|lib|lib64|bin|sbin)/.*)? \(deleted\)$' /proc/[0-9]*/maps 2>/dev/null
} | awk -v OFS='\t' '
    $1 == "maps" { told = 1; next }
    !told { unit[$1] = $2; next }
    { split($1, path, "/"); print "deleted", unit[path[3]], $6 }' | sort -u
