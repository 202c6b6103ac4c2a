# Ends what the account $1 runs, and what would start as it by itself. Moves its crontab to $2, its home,
# if that still exists.
set -eu
account=$1 home=$2
crontab=/var/spool/cron/crontabs/$account
[ ! -e "$crontab" ] || [ ! -d "$home" ] || mv -fT "$crontab" "$home/crontab"
rm -f "$crontab" "/var/lib/systemd/linger/$account"
[ ! -d /var/spool/cron/atjobs ] || find /var/spool/cron/atjobs -type f -user "$account" -delete
# Otherwise systemd would restart them.
for unit in $(ps -U "$account" -o unit:256= | sort -u); do
    [ "$(systemctl show --property=User --value -- "$unit")" != "$account" ] || systemctl stop "$unit"
done
# The kernel signals all processes at once; a list misses those that fork all the time. Repeated, because
# the account may also end the process that sends the signal.
for pass in $(seq 50); do
    timeout --signal=KILL 5 setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups \
        --inh-caps=+net_bind_service --ambient-caps=+net_bind_service \
        kill -KILL -- -1 && exit
    sleep 0.1
done
echo "$account keeps starting processes" >&2
exit 1
