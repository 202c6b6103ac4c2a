# Prints the state of the paths in the arguments, in sections.
export LC_ALL=C
echo '== stat'
stat -c '%n|%F|%a|%U|%G' -- "$@" 2>/dev/null
echo '== links'
for path; do
    # A target with line ends in it could pass for other sections.
    [ -L "$path" ] && printf '%s|%s\n' "$path" "$(readlink --no-newline -- "$path" | tr '\n' '\1')"
done
echo '== sums'
for path; do
    [ -f "$path" ] && sha256sum -- "$path" 2>/dev/null
done
echo '== attributes'
lsattr -d -- "$@" 2>/dev/null
echo '== acls'
getfacl --absolute-names -- "$@" 2>/dev/null
true
