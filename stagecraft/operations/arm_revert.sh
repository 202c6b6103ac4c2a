# Makes a change to the ways into this server one that undoes itself: after $1 seconds, unless it
# is confirmed, and at the next boot. $2 is the script that undoes it, the rest are the paths that
# the change may touch. Armed already, by a run that died, it keeps what that run had put aside:
# nobody confirmed what stands there now.
set -eu
seconds=$1 script=$2
shift 2
revert=/var/lib/stagecraft/revert
umask 022
mkdir -p /var/lib/stagecraft /run/stagecraft
exec 9>/run/stagecraft/revert.lock
flock 9
# What undoes it is there before the change is armed, so that no moment is without it.
cat >/etc/systemd/system/stagecraft-revert.service <<END
[Unit]
Description=Undo a change to sshd or the firewall that no run of Stagecraft confirmed
ConditionPathExists=$revert
DefaultDependencies=no
After=local-fs.target
RequiresMountsFor=$revert
Before=ssh.service network-pre.target

[Service]
Type=oneshot
ExecStart=/bin/sh $revert/revert
END
# Not by systemctl, which does not disable it again while the server shuts down.
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sfn ../stagecraft-revert.service /etc/systemd/system/sysinit.target.wants/
mkdir -p /run/systemd/system
cat >/run/systemd/system/stagecraft-revert.timer <<END
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
        [ ! -e "$path" ] && [ ! -L "$path" ] || printf '%s\n' "${path#/}"
    done >$revert.new/present
    tar -C / --no-recursion -cf $revert.new/before.tar -T $revert.new/present
    {
        printf 'table inet stagecraft\ndelete table inet stagecraft\n'
        nft --stateless --terse list table inet stagecraft 2>/dev/null || true
    } >$revert.new/before.nft
    printf '%s\n' "$script" >$revert.new/revert
    sync
    mv $revert.new $revert
fi
systemctl restart stagecraft-revert.timer
