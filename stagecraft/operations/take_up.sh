# Makes the unit $1 take up its changed files with the shell command $2. If a running unit fails to,
# restores the files replaced in the trees $3..., so that it keeps running.
unit=$1 command=$2
shift 2
previous=/run/stagecraft/previous
before=$(systemctl is-active "$unit")
since=$(date +%s)
# systemd does not start a unit that has failed too often.
[ "$before" = active ] || systemctl reset-failed "$unit" 2>/dev/null

# PHP-FPM's reload returns before the new master has opened its sockets.
taken_up() {
    sh -c "$command" && sleep 0.3 && { systemctl is-active --quiet "$unit" || unneeded; }
}
unneeded() { # its own conditions do not hold here, such as a clock's in a container
    [ "$(systemctl show --property=ConditionResult --value "$unit")" = no ]
}

put_back() { # restores the tree $1
    while IFS= read -r path; do
        new=${path%/*}/.${path##*/}.stagecraft old=$previous/$1/files$path
        if [ -e "$old" ] || [ -L "$old" ]; then
            mkdir -p "${path%/*}" && cp -a --remove-destination "$old" "$new" && mv -fT "$new" "$path"
        else
            rm -f "$path"
        fi || { echo "$path could not be restored; its old version is in $old" >&2; return 1; }
    done <"$previous/$1/index"
    rm -rf "$previous/$1"
}
forget() { for tree; do rm -rf "$previous/$tree"; done; }

if taken_up; then
    forget "$@"
    exit 0
fi
journalctl --no-pager --quiet --since="@$since" --lines=20 --unit="$unit" >&2
if [ "$before" != active ]; then
    forget "$@"
    exit 1
fi
for tree; do
    [ ! -e "$previous/$tree/index" ] || put_back "$tree"
done
systemctl daemon-reload
restarted() { # even if it has failed too often already
    systemctl stop "$unit"
    systemctl reset-failed "$unit" 2>/dev/null
    systemctl start "$unit"
}
# After a refused reload it runs as before; a restart could only stop it.
if systemctl is-active --quiet "$unit" || restarted; then
    echo "$unit does not work with its new files; the old ones are restored, and it runs with them" >&2
else
    echo "$unit does not work with its new files, and does not start with the old ones either" >&2
fi
exit 1
