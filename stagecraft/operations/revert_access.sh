# Reverts an unconfirmed change to sshd, its keys and the firewall. Only stagecraft-revert.service runs
# this, and holds the lock: for its timer, at boot, or for the run that saw the change fail. It restores
# as much as it can; if something fails, the copies stay and the unit tries again.
cd /var/lib/stagecraft/revert 2>/dev/null || exit 0
rm -f whole
missing=

put_back() { # restores the path $1
    kept=files$1 new=${1%/*}/.${1##*/}.stagecraft
    if [ -d "$kept" ] && [ ! -L "$kept" ]; then
        mkdir -p "$1" && chown --reference="$kept" "$1" && chmod --reference="$kept" "$1"
    elif [ -e "$kept" ] || [ -L "$kept" ]; then
        is_back "$1" && return
        # A hard link needs no space on a full disk. But removing the copy changes the file's ctime, and
        # the file then looks newer than sshd's last reload.
        mkdir -p "${1%/*}" &&
            { cp -a --remove-destination "$kept" "$new" 2>/dev/null || ln -fP "$kept" "$new"; } &&
            mv -fT "$new" "$1"
    else
        rm -rf "$1"
    fi
}
is_back() { [ "$(stat -c %d:%i "$1" 2>/dev/null)" = "$(stat -c %d:%i "files$1")" ]; }

# sshd is ordered after this unit at boot; a later reload would wait for that, too.
take_up() {
    if systemctl is-active --quiet ssh.service; then
        systemctl --job-mode=ignore-dependencies reload ssh.service
    elif ! starts_later; then
        systemctl reset-failed ssh.service
        systemctl --job-mode=ignore-dependencies start ssh.service
    fi && sleep 0.5 && { systemctl is-active --quiet ssh.service || starts_later; }
}
starts_later() { systemctl list-jobs --no-legend | grep -q ' ssh\.service '; }

while read -r path; do
    put_back "$path" || missing=yes
done <paths
! command -v nft >/dev/null || nft -f before.nft || missing=yes
systemctl daemon-reload
take_up || missing=yes
[ -z "$missing" ] || exit 1
sync
mv /var/lib/stagecraft/revert /var/lib/stagecraft/reverted
systemctl stop --no-block stagecraft-revert.timer
rm -f /etc/systemd/system/sysinit.target.wants/stagecraft-revert.service
rm -f /etc/systemd/system/stagecraft-revert.service /run/systemd/system/stagecraft-revert.timer
systemctl daemon-reload
rm -rf /var/lib/stagecraft/reverted
