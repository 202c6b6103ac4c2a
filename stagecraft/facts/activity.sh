# Prints what $account runs outside of $unit, and what would start as it by itself, a line each; and, as
# long as $limits runs, that there may be more.
id -u "$account" >/dev/null 2>&1 || exit 0
ps -U "$account" -o unit:256=,comm= | awk -v unit="$unit" '$1 != unit { print $2 " of " $1 }' | sort -u
# No list shows what makes a new process of itself all the time.
! systemctl is-active --quiet "$limits" || echo "what no list shows"
[ ! -e "/var/spool/cron/crontabs/$account" ] || echo "its crontab"
[ -z "$(find /var/spool/cron/atjobs -type f -user "$account" 2>/dev/null)" ] || echo "its jobs of at"
[ ! -e "/var/lib/systemd/linger/$account" ] || echo "its lingering"
