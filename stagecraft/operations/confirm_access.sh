# Confirms the change to the ways into this server; from here on nothing undoes it. Fails when that
# has happened already.
set -eu
revert=/var/lib/stagecraft/revert
exec 9>/run/stagecraft/revert.lock
flock 9
if ! mv $revert $revert.confirmed 2>/dev/null; then
    echo "the change has been undone: it was not confirmed in time" >&2
    exit 1
fi
systemctl stop stagecraft-revert.timer
rm -f /etc/systemd/system/sysinit.target.wants/stagecraft-revert.service
rm -f /etc/systemd/system/stagecraft-revert.service /run/systemd/system/stagecraft-revert.timer
systemctl daemon-reload
rm -rf $revert.* ${revert}ed
