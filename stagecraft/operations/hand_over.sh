# Hands the releases of the site $2 over to root; $1 is its home. Its user may be at work in them
# meanwhile, so this goes from above: what stands in a directory that root has closed, nobody else can
# exchange for a link.
set -eu
home=$1 site=$2
roots=u::rwX,g::rX,o::- nginx=u:www-data

close() { # the working directory
    chown "root:$site" .
    setfacl -b -m "$roots,$nginx:x" .
}
close_below() { # $1: the ACL of directories, the rest is for `find`
    acl=$1
    shift
    find "$@" -type d \( ! -user root -o -perm /022 \) \
        -exec chown -h "root:$site" {} \; -exec setfacl -b -m "$acl" {} \;
}
is_directory() { [ ! -L "$1" ] && [ -d "$1" ]; }

roots_all() { # what is below the working directory
    chown -hR "root:$site" .
    find . -mindepth 1 -maxdepth 1 ! -name public -exec setfacl -RPb -m "$roots" {} +
    ! is_directory public || setfacl -RPb -m "$roots,$nginx:rX" public
}
renew() ( # all files below the working directory
    release=$PWD
    rm -rf "$copy"
    mkdir -m 700 "$copy" "$copy/release"
    # A process can have a lease on a file: cp would wait 45 seconds for each of them, tar fails. Its 1
    # is a file that has just changed.
    { tar -cSf - . || [ $? = 1 ] || : >"$copy/incomplete"; } | tar -xpf - -C "$copy/release"
    ! [ -e "$copy/incomplete" ] || {
        echo "$release cannot be copied while processes of $site hold its files; end them: pkill -KILL -u $site" >&2
        exit 1
    }
    cd "$copy/release"
    roots_all
    find . ! -type d -execdir sh -c '
        into=$1${PWD#"$2"}
        shift 2
        exec mv -ft "$into" "$@"' sh "$release" "$copy/release" {} +
)

waiting() { # whether the release $1 is not root's yet, or a killed run has begun with it
    [ -k "$1" ] || find "$1" \( ! -user root -o ! -type l -perm /022 \) -print -quit | grep -q .
}
take() ( # the release $1
    waiting "$1" || exit 0
    cd "$1"
    close
    chmod +t .
    close_below "$roots" . -mindepth 1 -path ./public -prune -o
    ! is_directory public || close_below "$roots,$nginx:rX" public
    # Names stay what they are from here on. What a file is, still changes: the site may have it open
    # for writing, or by another name.
    renew
    roots_all
)
finish() { chmod -t "$1"; }

cd "$home"
close
copy=$(pwd -P)/.handing-over
trap 'rm -rf "$copy"' EXIT
! is_directory current || [ -O current ] || { echo "$home/current belongs to the site: move it away" >&2; exit 1; }
is_directory releases || { echo "$home/releases is not a directory: move it away" >&2; exit 1; }
cd releases
close
each_release take
leading_out | xargs -0 -r rm -f --
each_release finish
