# Begins a step of an armed change: delays the revert until the step ends, and restarts its timer.
# Refuses the step if the server has begun to revert.
set -eu
revert=/var/lib/stagecraft/revert
umask 077
mkdir -p /run/stagecraft
exec 9>/run/stagecraft/revert.lock
umask 022
flock 9
if [ ! -e $revert/whole ]; then
    echo "too much time has passed since the last step of this run: the server has reverted sshd and the" >&2
    echo "firewall, and this step changed nothing; run it again" >&2
    exit 1
fi
systemctl stop --quiet stagecraft-revert.service # if it has started, it is waiting for this lock
systemctl restart stagecraft-revert.timer
