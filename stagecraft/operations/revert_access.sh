# Puts sshd, its keys and the firewall back to what they were before a change that was not
# confirmed. Started by stagecraft-revert.timer, at boot, or by the run that saw the change fail.
mkdir -p /run/stagecraft
exec 9>/run/stagecraft/revert.lock
flock 9
cd /var/lib/stagecraft/revert 2>/dev/null || exit 0
while read -r path; do
    grep -qxF "${path#/}" present || rm -rf "$path"
done <paths
tar -C / -xpf before.tar
! command -v nft >/dev/null || nft -f before.nft
systemctl daemon-reload
# At boot sshd starts only after this; later its reload would wait for that order, too.
! systemctl is-active --quiet ssh.service ||
    systemctl --job-mode=ignore-dependencies reload ssh.service
mv /var/lib/stagecraft/revert /var/lib/stagecraft/reverted
systemctl stop --no-block stagecraft-revert.timer
rm -f /etc/systemd/system/sysinit.target.wants/stagecraft-revert.service
rm -f /etc/systemd/system/stagecraft-revert.service /run/systemd/system/stagecraft-revert.timer
systemctl daemon-reload
rm -rf /var/lib/stagecraft/reverted
