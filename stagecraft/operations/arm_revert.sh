# Arms the revert of a change to sshd, its keys and the firewall: it runs $1 seconds after the last step
# unless the change is confirmed, and at the next boot. $2 is the script that reverts, the rest are the
# paths that the change may touch. If a dead run has armed it already, that run's copies stay, because
# its changes were never confirmed.
set -eu
seconds=$1 script=$2
shift 2
revert=/var/lib/stagecraft/revert
umask 022
mkdir -p /var/lib/stagecraft /run/stagecraft
# Whoever can open a lock file, even read-only, can hold the lock forever.
umask 077
exec 9>/run/stagecraft/revert.lock
umask 022
flock 9
# Installed before the change is armed, so that an armed change can always be reverted.
cat >/etc/systemd/system/stagecraft-revert.service <<END
[Unit]
Description=Undo a change to sshd or the firewall that no run of Stagecraft confirmed
ConditionPathExists=$revert
DefaultDependencies=no
After=local-fs.target
RequiresMountsFor=$revert
Before=ssh.service network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RuntimeDirectory=stagecraft
RuntimeDirectoryPreserve=yes
ExecStart=/bin/sh -c 'umask 077; exec 9>/run/stagecraft/revert.lock; umask 022; flock 9; exec sh $revert/revert'
Restart=on-failure
RestartSec=30
END
# Not with systemctl, which would not disable it during a shutdown.
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sfn ../stagecraft-revert.service /etc/systemd/system/sysinit.target.wants/
mkdir -p /run/systemd/system
cat >/run/systemd/system/stagecraft-revert.timer <<END
[Unit]
# Each step starts it anew, however quickly they follow each other.
StartLimitIntervalSec=0

[Timer]
OnActiveSec=$seconds
AccuracySec=1
END
systemctl daemon-reload

if [ ! -d $revert ]; then
    umask 077
    rm -rf $revert.new
    mkdir $revert.new
    printf '%s\n' "$@" >$revert.new/paths
    for path; do
        [ -e "$path" ] || [ -L "$path" ] || continue
        mkdir -p "$revert.new/files${path%/*}"
        cp -aT "$path" "$revert.new/files$path"
    done
    {
        printf 'table inet stagecraft\ndelete table inet stagecraft\n'
        nft --stateless --terse list table inet stagecraft 2>/dev/null || true
    } >$revert.new/before.nft
    printf '%s\n' "$script" >$revert.new/revert
    sync
    mv $revert.new $revert
fi
systemctl stop --quiet stagecraft-revert.service # it would try again to restore what it could not
: >$revert/whole
systemctl restart stagecraft-revert.timer
