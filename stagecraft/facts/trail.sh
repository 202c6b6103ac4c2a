# Prints when $paths and $units (one per line) last changed, and who was root: tab-separated lines of a
# kind, seconds since the epoch, and the event.
export LC_ALL=C

printf '%s\n' "$paths" | tr '\n' '\0' | xargs -0 -r stat --printf 'path\t%.Z\t%n\n' -- 2>/dev/null
[ -z "$units" ] ||
    printf '%s\n' "$units" | xargs -d '\n' systemctl show --timestamp=unix \
        --property=Id,StateChangeTimestamp -- 2>/dev/null |
    awk -F = -v OFS='\t' '/^Id=/ { unit = $2 } /^StateChangeTimestamp=@/ { print "unit", substr($2, 2), unit }'

# The last thousand commands of sudo and logins of sshd within 30 days, without pyinfra's own, which
# would be most of them. Any process can claim any identifier with syslog(), PHP too, so the sender is
# taken from the kernel's fields: sshd is root; sudo has root's group once it opens the session, right
# after it logs the command.
getent passwd | sed -nE 's/^([^:]+):[^:]*:([0-9]+):.*/account\t\2\t\1/p'
journalctl --quiet --no-pager --since='-30 days' --output=json \
    --output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_UID,_GID _TRANSPORT=syslog \
    SYSLOG_IDENTIFIER=sudo SYSLOG_IDENTIFIER=sshd SYSLOG_IDENTIFIER=sshd-session 2>/dev/null | awk '
    { match($0, /"_PID":"[0-9]+"/); pid = substr($0, RSTART, RLENGTH) }
    /"MESSAGE":" *deploy : [^"]*COMMAND=[^ ]*\/sh -c / { delete named[pid]; next }
    /"SYSLOG_IDENTIFIER":"sudo"/ && /"MESSAGE":" *[^ ]+ : [^"]*COMMAND=/ { named[pid] = $0 }
    /"MESSAGE":"pam_unix\(sudo:session\): session opened for user root/ && /"_GID":"0"/ && pid in named {
        print "journal\t" named[pid]
        delete named[pid]
    }
    /"MESSAGE":"Accepted publickey / && /"_UID":"0"/ { print "journal\t" $0 }' | tail -n 1000

changes=$(tail -q -n 400 /var/log/apt/history.log.1 /var/log/apt/history.log 2>/dev/null | awk -v OFS='\t' '
    /^Start-Date: / { date = $2 " " $3; command = by = packages = "" }
    /^Commandline: / { command = $2 ($2 ~ /apt/ && $3 !~ /^-/ ? " " $3 : "") }
    /^Requested-By: / { by = $2 }
    /^(Install|Remove|Purge|Upgrade|Downgrade|Reinstall): / {
        sub(/^[^:]*: /, ""); gsub(/ \([^)]*\)/, ""); gsub(/:[a-z0-9]+/, ""); gsub(/,/, "")
        packages = packages " " $0
    }
    /^End-Date: / { print date, command, by, packages }')
[ -z "$changes" ] || # one call of date for all lines, because each call costs a process
    printf '%s\n' "$changes" | awk -v OFS='\t' \
        -v moments="$(printf '%s\n' "$changes" | cut -f 1 | date --file=- +%s | tr '\n' ' ')" '
        BEGIN { split(moments, moment, " ") }
        { sub(/^[^\t]*/, moment[NR]); print "apt", $0 }'
true
