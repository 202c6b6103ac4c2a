# Prints what shows that logs were cut or lead nowhere: kind and values, NUL-terminated in rows of five, as
# base64. Leaves out the sites' own directories, and what a site can create there.
logs='/var/log /var/log/apt /var/log/audit /var/log/mysql /var/log/nginx /var/log/redis /var/log/stagecraft/*'
{
    find $logs -maxdepth 1 -user root \( -type l -o -type c \) ! -lname '*/README.logs' \
        -printf 'link\0%p\0%l\0%C@\0\0'
    # An empty file that was written to after its birth. logrotate creates new ones, unless it is told to
    # copy and truncate.
    find $logs -maxdepth 1 -type f -size 0 \( -name '*.log' -o -name '[bw]tmp' -o -name syslog -o -name '*.jsonl' \) \
        -exec stat --printf 'empty\0%n\0%W\0%Y\0\0' {} +
    grep -ls copytruncate /etc/logrotate.d/* |
        xargs -rd '\n' sed -nE 's/^[[:space:]]*(\/[^{]*).*/\1/p' | xargs -rn 1 printf 'copied\0%s\0\0\0\0'
    for home in /root /home/*; do
        for name in .bash_history .zsh_history .sh_history; do
            [ -L "$home/$name" ] || [ -c "$home/$name" ] || continue
            find "$home/$name" -maxdepth 0 -printf 'history\0%p\0%l\0%C@\0\0'
        done
    done
    # Open for writing. journald keeps those that it archived (`@`) open for a moment, deleted or not.
    find /proc/[0-9]*/fd -perm -200 -lname '/var/log/*(deleted)' ! -lname '/var/log/php-fpm-*' \
        ! -lname '/var/log/journal/*@*' -printf '%l\t%p\n' |
        head -n 20 | while IFS="$(printf '\t')" read -r path fd; do
            pid=${fd#/proc/}
            unit=$(ps -o unit:256= -p "${pid%%/*}" | tr -d ' ')
            case $unit in *.service) printf 'deleted\0%s\0%s\0\0\0' "${path% (deleted)}" "$unit" ;; esac
        done
    journal=/var/log/journal/$(cat /etc/machine-id)
    printf 'journal\0%s\0%s\0%s\0%s\0' \
        "$(journalctl --quiet --no-pager --output=short-unix | head -n 1 | cut -d ' ' -f 1)" \
        "$(stat --format %W "$journal")" \
        "$(du --summarize --block-size=1M "$journal" | cut -f 1)" \
        "$(df --output=pcent "$journal" | tail -n 1 | tr -d ' %')"
    systemctl show --property=LoadState,ActiveState,ConditionResult,ConditionTimestampMonotonic,Id \
        auditd.service rsyslog.service syslog-ng.service | awk -F = -v ORS= '
            $1 { of[$1] = $2 }
            !$1 { told() }
            END { told() }
            function told() {
                kept_from_it = of["ConditionResult"] == "no" && of["ConditionTimestampMonotonic"] > 0
                printf "service%c%s%c%s%c%s%c%s%c", 0, of["Id"], 0, of["LoadState"], 0, of["ActiveState"], 0, kept_from_it, 0
                delete of
            }'
    printf 'since\0%s\0\0\0\0' "$(stat --format %W /var/lib/stagecraft)"
} 2>/dev/null | base64 --wrap=0
