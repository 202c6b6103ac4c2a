# Has the unit $1 take up its changed files by the shell command $2. When one that runs does not,
# what the trees $3... have replaced is put back, and it runs on.
unit=$1 command=$2
shift 2
previous=/run/stagecraft/previous
before=$(systemctl is-active "$unit")
since=$(date +%s)
# One that has failed too often would not be started any more.
[ "$before" = active ] || systemctl reset-failed "$unit" 2>/dev/null

# PHP-FPM's reload returns before the new master has opened its sockets.
taken_up() {
    sh -c "$command" && sleep 0.3 && { systemctl is-active --quiet "$unit" || unneeded; }
}
unneeded() { # its own conditions say that this is no place for it: a container has no clock to set
    [ "$(systemctl show --property=ConditionResult --value "$unit")" = no ]
}

put_back() { # the tree $1
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
restarted() { # although it may have failed too often already
    systemctl stop "$unit"
    systemctl reset-failed "$unit" 2>/dev/null
    systemctl start "$unit"
}
# One that refused a reload runs on as before; a restart now could only end that.
if systemctl is-active --quiet "$unit" || restarted; then
    echo "$unit does not work with its new files; the old ones are restored, and it runs with them" >&2
else
    echo "$unit does not work with its new files, and does not start with the old ones either" >&2
fi
exit 1
