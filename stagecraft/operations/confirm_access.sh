# Confirms the change to the ways into this server, as the last step; nothing undoes it any more.
mv $revert $revert.confirmed
systemctl stop stagecraft-revert.timer
rm -f /etc/systemd/system/sysinit.target.wants/stagecraft-revert.service
rm -f /etc/systemd/system/stagecraft-revert.service /run/systemd/system/stagecraft-revert.timer
systemctl daemon-reload
rm -rf $revert.* ${revert}ed
