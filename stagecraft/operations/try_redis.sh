# Redis has no checker, so this starts it with $configuration on a scratch socket and an empty directory.
scratch=$(mktemp -d)
sed '/^dir /d' "$configuration" | redis-server - --dir "$scratch" --unixsocket "$scratch/socket" \
    --pidfile "$scratch/pid" --daemonize no --supervised no --appendonly no >"$scratch/log" 2>&1 &
server=$!
answer=
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    answer=$(redis-cli -s "$scratch/socket" PING 2>&1 || true)
    case $answer in *NOAUTH*|PONG) break ;; esac
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
kill "$server" 2>/dev/null || true
wait "$server" || true
case $answer in
    *NOAUTH*|PONG) rm -rf "$scratch" ;;
    *) cat "$scratch/log"; rm -rf "$scratch"; exit 1 ;;
esac
