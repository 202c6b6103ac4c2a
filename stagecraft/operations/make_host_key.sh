# Makes a host key at $1, of the type $2. Renamed into place, because a half-written key would be kept.
case $2 in rsa) bits=4096 ;; *) bits= ;; esac
rm -f "$1.new" "$1.new.pub" &&
    ssh-keygen -q -t "$2" ${bits:+-b $bits} -N '' -C '' -f "$1.new" &&
    mv "$1.new.pub" "$1.pub" && mv "$1.new" "$1"
