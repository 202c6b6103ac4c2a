cache=$home/current/bootstrap/cache release=$(readlink "$home/current") || exit 0
[ -e "$state/releases/${release##*/}.json" ] && [ -e "$cache/config.php" ] || exit 0
[ -e "$home/shared/.env" ] || exit 0
# on_server/configuration.py notes the .env that it was built from.
if [ "$(stat -Lc %.9Z "$home/shared/.env")" = "$(stat -Lc %.9Y "$cache")" ]; then echo fresh; else echo stale; fi
