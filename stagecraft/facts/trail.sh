# When $paths and $units, a line each, last changed, and who has been root. Prints tab-separated
# lines: a kind, seconds since the epoch, then what it is.
export LC_ALL=C

printf '%s\n' "$paths" | tr '\n' '\0' | xargs -0 -r stat --printf 'path\t%.Z\t%n\n' -- 2>/dev/null
[ -z "$units" ] ||
    printf '%s\n' "$units" | xargs -d '\n' systemctl show --timestamp=unix \
        --property=Id,StateChangeTimestamp -- 2>/dev/null |
    awk -F = -v OFS='\t' '/^Id=/ { unit = $2 } /^StateChangeTimestamp=@/ { print "unit", substr($2, 2), unit }'

# sudo tells every command and sshd every login: the last thousand of 30 days, without what pyinfra
# runs, which would be most of it.
journalctl --quiet --no-pager --output=short-unix --since='-30 days' \
    --identifier=sudo --identifier=sshd --identifier=sshd-session 2>/dev/null |
    sed -nE \
        -e '/ deploy : .*COMMAND=[^ ]*\/sh -c /d' \
        -e 's/^([0-9.]+) [^ ]+ sudo\[[0-9]+\]: +([^ ]+) : .*COMMAND=(.*)/sudo\t\1\t\2\t\3/p' \
        -e 's/^([0-9.]+) [^ ]+ sshd[a-z-]*\[[0-9]+\]: Accepted publickey for ([^ ]+) from .* (SHA256:[^ ]+)$/login\t\1\t\2\t\3/p' |
    tail -n 1000

changes=$(tail -q -n 400 /var/log/apt/history.log.1 /var/log/apt/history.log 2>/dev/null | awk -v OFS='\t' '
    /^Start-Date: / { date = $2 " " $3; command = by = packages = "" }
    /^Commandline: / { command = $2 ($2 ~ /apt/ && $3 !~ /^-/ ? " " $3 : "") }
    /^Requested-By: / { by = $2 }
    /^(Install|Remove|Purge|Upgrade|Downgrade|Reinstall): / {
        sub(/^[^:]*: /, ""); gsub(/ \([^)]*\)/, ""); gsub(/:[a-z0-9]+/, ""); gsub(/,/, "")
        packages = packages " " $0
    }
    /^End-Date: / { print date, command, by, packages }')
[ -z "$changes" ] || # one date for all of them: each would cost a process
    printf '%s\n' "$changes" | awk -v OFS='\t' \
        -v moments="$(printf '%s\n' "$changes" | cut -f 1 | date --file=- +%s | tr '\n' ' ')" '
        BEGIN { split(moments, moment, " ") }
        { sub(/^[^\t]*/, moment[NR]); print "apt", $0 }'
true
