# Prints accounts, groups, which accounts have a password (and nothing about it), and the keys in accounts'
# own files; tab-separated.
getent passwd | sed 's/^/account\t/'
getent group | sed 's/^/group\t/'
awk -F: -v OFS='\t' '
    $2 == "" { print "password", "empty", $1 }
    $2 ~ /^[$_]|^.{13}$/ { print "password", "set", $1 }' /etc/shadow
getent passwd | while IFS=: read -r account _ _ _ _ home _; do
    for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
        [ ! -f "$file" ] || sed "/^#/d; s|^|key\t$account\t|" "$file"
    done
done
true
