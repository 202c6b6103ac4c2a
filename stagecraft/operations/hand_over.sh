# Makes root the owner of the site $2's releases; $1 is its home. The site's user may be writing
# meanwhile, so this works from the top down: once root has closed a directory, nobody else can replace
# its contents with a link.
set -eu
home=$1 site=$2
roots=u::rwX,g::rX,o::- nginx=u:www-data

close() { # closes the working directory to the site
    chown "root:$site" .
    setfacl -b -m "$roots,$nginx:x" .
}
close_below() { # $1 is the ACL of directories, the rest are arguments for find
    acl=$1
    shift
    find "$@" -type d \( ! -user root -o -perm /022 \) \
        -exec chown -h "root:$site" {} \; -exec setfacl -b -m "$acl" {} \;
}
is_directory() { [ ! -L "$1" ] && [ -d "$1" ]; }

roots_all() { # makes root the owner of everything below the working directory
    chown -hR "root:$site" .
    find . -mindepth 1 -maxdepth 1 ! -name public -exec setfacl -RPb -m "$roots" {} +
    ! is_directory public || setfacl -RPb -m "$roots,$nginx:rX" public
}
renew() ( # replaces all files below the working directory with copies
    release=$PWD
    rm -rf "$copy"
    mkdir -m 700 "$copy" "$copy/release"
    # A process can hold a lease on a file: cp would wait 45 seconds for each one, tar fails. tar exits
    # with 1 if a file changed while it was read.
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

waiting() { # whether root does not own release $1 yet, or a killed run has begun to take it
    [ -k "$1" ] || find "$1" \( ! -user root -o ! -type l -perm /022 \) -print -quit | grep -q .
}
take() ( # makes root the owner of release $1
    waiting "$1" || exit 0
    cd "$1"
    close
    chmod +t .
    close_below "$roots" . -mindepth 1 -path ./public -prune -o
    ! is_directory public || close_below "$roots,$nginx:rX" public
    # From here on, names are fixed. Contents can still change, because the site may have a file open for
    # writing, or have another hard link to it.
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
