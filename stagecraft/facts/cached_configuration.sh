cache=$home/current/bootstrap/cache release=$(readlink "$home/current") || exit 0
[ -e "$state/releases/${release##*/}.json" ] && [ -e "$cache/config.php" ] || exit 0
if [ -n "$(find "$home/shared/.env" -newercm "$cache" 2>/dev/null)" ]; then echo stale; else echo fresh; fi
