# Prints what the command $ask answers, the accounts with an option file in $directory, and whether each
# login works: $logins has lines of an account, a tab and its option file. Nothing without the client.
command -v "$client" >/dev/null || exit 0
eval "$ask"
for path in "$directory"/*.cnf; do
    user=${path##*/}
    [ ! -e "$path" ] || printf 'option-file\t%s\n' "${user%.cnf}"
done
[ -z "$logins" ] || printf '%s\n' "$logins" | while IFS="$(printf '\t')" read -r user path; do
    said=$("$client" --defaults-file="$path" --execute='DO 0' </dev/null 2>&1 && echo works)
    printf 'login\t%s\t%s\n' "$user" "$(printf '%s\n' "$said" | tail -n 1)"
done
true
