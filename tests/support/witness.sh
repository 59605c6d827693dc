# A step that leaves witnesses: one line as it begins and one as it ends, each with its attempt, written under a lock.
# usage: . witness.sh FILE CODE LINES SECONDS
file=$1 code=$2 lines=$3 seconds=$4
note() {
	exec 9>>"$file"
	flock 9
	echo "$PLUMBER_ATTEMPT $1 $(date +%s%N) $2" >&9
	exec 9>&-
}
note begin $$
n=0
while [ "$n" -lt "$lines" ]; do
	n=$((n + 1))
	echo "$PLUMBER_ATTEMPT line $n"
done
[ "$seconds" = 0 ] || sleep "$seconds"
note end "$code"
exit "$code"
