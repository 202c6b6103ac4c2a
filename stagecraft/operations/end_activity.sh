# Ends what the account $1 runs, and what would start as it by itself. Its crontab goes to $2, its home,
# if that is still there.
set -eu
account=$1 home=$2
crontab=/var/spool/cron/crontabs/$account
[ ! -e "$crontab" ] || [ ! -d "$home" ] || mv -fT "$crontab" "$home/crontab"
rm -f "$crontab" "/var/lib/systemd/linger/$account"
[ ! -d /var/spool/cron/atjobs ] || find /var/spool/cron/atjobs -type f -user "$account" -delete
# systemd would start them again.
for unit in $(ps -U "$account" -o unit:256= | sort -u); do
    [ "$(systemctl show --property=User --value -- "$unit")" != "$account" ] || systemctl stop "$unit"
done
for pass in $(seq 50); do
    pkill -KILL -U "$account" || exit 0
    sleep 0.1
done
echo "$account goes on starting processes" >&2
exit 1
