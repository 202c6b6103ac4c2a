# Confirms the change to sshd and the firewall as the last step; it is no longer reverted.
mv $revert $revert.confirmed
systemctl stop stagecraft-revert.timer
rm -f /etc/systemd/system/sysinit.target.wants/stagecraft-revert.service
rm -f /etc/systemd/system/stagecraft-revert.service /run/systemd/system/stagecraft-revert.timer
systemctl daemon-reload
rm -rf $revert.* ${revert}ed
