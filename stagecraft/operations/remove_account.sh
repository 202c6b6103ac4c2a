# Removes the account $1 and its processes. The files in its home $2 become root's.
pkill -KILL -U "$1"
rm -f "/var/spool/cron/crontabs/$1"
if [ -d "$2" ]; then
    find "$2" -maxdepth 0 -xdev -user "$1" -exec chmod 700 {} + &&
        find "$2" -xdev -user "$1" -exec chown -h root:root {} +
fi && userdel --force "$1"
