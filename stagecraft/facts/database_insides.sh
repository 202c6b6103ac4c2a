# Prints the plugins that the options of the next start load (`loads` and a library), if any are loaded,
# and what the command $ask answers.
answer=$(eval "$ask")
! printf '%s\n' "$answer" | grep -q '^plugin' || eval "$options" |
    sed -nE 's/^--plugin[-_]load([-_]add)?=//p' | tr ';' '\n' | sed 's/.*=//; s/^/loads\t/'
printf '%s\n' "$answer"
