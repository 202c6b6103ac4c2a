# Installs a tree of sshd's and the firewall's files with the script $1 and its arguments, and puts it in
# force, as a step that $2 begins. If anything fails, it restores the previous state at once.
install=$1 begin_step=$2
shift 2
payload=$(cat) # read completely before anything waits for this step to end
eval "$begin_step"
set +e

undo() {
    flock --unlock 9
    systemctl start stagecraft-revert.service ||
        echo "it could not be reverted at once: the server tries again, also at its next boot" >&2
    exit 1
}

sshd_sockets() { # a new set means that sshd has read its files and listens
    find "/proc/$(systemctl show --property=MainPID --value ssh.service)/fd" -lname 'socket:*' \
        -printf '%l\n' 2>/dev/null | sort
}

reload_sshd() {
    before=$(sshd_sockets)
    systemctl reload ssh.service || return 1
    for attempt in $(seq 50); do
        [ "$(sshd_sockets)" = "$before" ] || return 0
        sleep 0.1
    done
    echo "sshd did not read its configuration within 5 seconds" >&2
    return 1
}

printf '%s\n' "$payload" | sh -c "$install" install-tree "$@" || undo
systemctl daemon-reload || undo
if [ -e /etc/systemd/system/stagecraft-firewall.service ]; then
    systemctl reload-or-restart stagecraft-firewall.service || undo
fi
reload_sshd || undo
