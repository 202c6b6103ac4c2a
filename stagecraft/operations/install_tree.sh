# Installs a tree of files as one unit. Runs as root, or as the user who owns the directories; the
# payload is on stdin (base64 of a tar):
#   index    a line for each path: kind, path, user, group, mode, acl or link target, origin
#   records  lines to add to the manifest
#   files/   the new contents
# $1 names the tree; $2 is the environment's manifest; $3 is the unit that reads the tree, if any: the
# old files stay in /run until it has taken up the new ones (take_up.sh). $4 names the checker, if any;
# $5 is its shell command, and the rest are the directories that it sees as if the tree were installed,
# in a separate mount namespace.
set -eu
umask 077
tree=$1 manifest=$2 unit=${3-} checker=${4-} check=${5-} patience=60
[ $# -lt 5 ] || shift 5

if [ "$(id -u)" = 0 ]; then
    # In memory, so that no secret is ever in a temporary file on disk.
    stage=/run/stagecraft/$tree
    mkdir -p /run/stagecraft
    exec 9>"$stage.lock"
    flock 9
    rm -rf "$stage"
    mkdir "$stage"
else
    stage=$(mktemp -d -p /tmp)
fi
trap clean_up EXIT
base64 -d | tar -x -C "$stage"
tab=$(printf '\t')

# Calls $1 with every line of the index of kind $2.
each() {
    while IFS=$tab read -r kind path user group mode extra origin; do
        [ "$kind" != "$2" ] || "$1"
    done <"$stage/index"
}

own() { # sets owner, mode and ACL of $1
    chown "$user:$group" "$1"
    ! command -v setfacl >/dev/null || setfacl -b "$1"
    chmod "$mode" "$1"
    [ "$extra" = - ] || setfacl -m "$extra" "$1"
}

refuse() {
    echo "$path is a $1, but a $kind is declared; nothing was changed" >&2
    exit 1
}
refuse_link() { [ ! -L "$root$path" ] || refuse "symbolic link"; }
refuse_directory() { [ -L "$root$path" ] || [ ! -d "$root$path" ] || refuse directory; }

refuse_immutable() { # fails for files that even root cannot replace
    for at in "$root$path" "$root${path%/*}"; do
        attributes=$(lsattr -d "$at" 2>/dev/null | cut -d ' ' -f 1 | tr -cd ai)
        [ -z "$attributes" ] || {
            echo "nobody can change $at until you run: chattr -$attributes $at; nothing was changed" >&2
            exit 1
        }
    done
}

make_directory() {
    # Until a moment ago, others may have owned its parent.
    [ ! -L "$root$path" ] || { echo "$path has become a symbolic link" >&2; exit 1; }
    [ -d "$root$path" ] || mkdir -p "$root$path"
    own "$root$path"
}

# Written next to its target with a hidden name, which no `include *` matches, then renamed.
prepare_file() {
    cp --remove-destination "$stage/files$path" "$root${path%/*}/.${path##*/}.stagecraft"
    own "$root${path%/*}/.${path##*/}.stagecraft"
    sync "$root${path%/*}/.${path##*/}.stagecraft"
}
prepare_link() { ln -sfn "$extra" "$root${path%/*}/.${path##*/}.stagecraft"; }
discard() { rm -f "$root${path%/*}/.${path##*/}.stagecraft"; }
rename() { mv -fT "$root${path%/*}/.${path##*/}.stagecraft" "$root$path"; }
remove() { rm -f "$root${path:?}"; }
remove_if_empty() {
    [ ! -d "$root$path" ] || dpkg --search "$path" >/dev/null 2>&1 ||
        rmdir --ignore-fail-on-non-empty "$root$path"
}

place() { # puts everything in place below the root $1
    root=$1
    each refuse_link directory
    each refuse_directory file
    each refuse_directory link
    for kind in directory file link absent; do each refuse_immutable $kind; done
    each make_directory directory
    each sweep file
    each sweep absent
    preparing=yes
    each prepare_file file
    each prepare_link link
    each rename file
    each rename link
    preparing=
    each remove absent
    each remove_if_empty empty
}
sweep() { rm -f "$root${path%/*}"/.*.stagecraft; } # removes what a killed run left

preparing=
clean_up() { # leaves nothing half written, for instance on a full disk
    if [ -n "$preparing" ]; then
        each discard file
        each discard link
    fi
    rm -rf "$stage"
}

taken_up_since() { # whether somebody else made the unit take up what was installed
    moment=$(LC_ALL=C systemctl show --property=StateChangeTimestamp --value -- "$unit")
    [ -e "$previous/index" ] && [ -n "$moment" ] &&
        [ "$(stat -c %Y "$previous/index")" -lt "$(date -d "$moment" +%s)" ]
}

# Keeps the oldest of several versions: the unit has not taken up any later one.
keep() {
    grep -qxF "$path" "$previous/index" 2>/dev/null && return
    if [ -e "$path" ] || [ -L "$path" ]; then
        mkdir -p "$previous/files${path%/*}"
        cp -a "$path" "$previous/files$path"
    fi
    echo "$path" >>"$previous/index"
}

make_parents() { mkdir -p "$stage/live${path%/*}"; }
name_origins() { [ "$origin" = - ] || echo "  $path comes from $origin" >&2; }

if [ -n "$check" ]; then
    for directory; do
        mkdir -p "$stage/live$directory"
        cp -a "$directory/." "$stage/live$directory"
    done
    each make_parents file
    each make_parents link
    place "$stage/live"
    code=0
    # The checker may run the site's code, which may never end.
    unshare --mount timeout --signal=KILL "$patience" sh -euc '
        stage=$1 check=$2
        shift 2
        for directory; do mount --bind "$stage/live$directory" "$directory"; done
        eval "$check"
    ' check "$stage" "$check" "$@" >"$stage/verdict" 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        [ "$code" != 137 ] || echo "$check: did not finish within $patience seconds" >>"$stage/verdict"
        cat "$stage/verdict" >&2
        echo "refused by $checker" >&2
        each name_origins file
        echo "nothing was changed on this server" >&2
        exit 1
    fi
fi
if [ -s "$stage/records" ]; then
    mkdir -p "${manifest%/*}"
    { echo; cat "$stage/records"; } >>"$manifest" # a full disk may have truncated the last line
fi
if [ -n "$unit" ]; then
    previous=/run/stagecraft/previous/$tree
    ! taken_up_since || rm -rf "$previous"
    mkdir -p "$previous"
    each keep file
    each keep link
    each keep absent
fi
place ""
! cut -f 1,2 "$stage/index" | grep -q '^absent	/etc/systemd/system/' || systemctl daemon-reload
