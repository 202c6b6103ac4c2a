# Prints a line for everything that $account runs outside of $unit or that starts by itself, and one more
# while $limits runs, because that list may be incomplete.
id -u "$account" >/dev/null 2>&1 || exit 0
ps -U "$account" -o unit:256=,comm= | awk -v unit="$unit" '$1 != unit { print $2 " of " $1 }' | sort -u
# A process that forks all the time can escape every list.
! systemctl is-active --quiet "$limits" || echo "what no list shows"
[ ! -e "/var/spool/cron/crontabs/$account" ] || echo "its crontab"
[ -z "$(find /var/spool/cron/atjobs -type f -user "$account" 2>/dev/null)" ] || echo "its jobs of at"
[ ! -e "/var/lib/systemd/linger/$account" ] || echo "its lingering"
