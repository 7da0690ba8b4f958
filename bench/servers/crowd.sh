#!/usr/bin/env bash
# What 9,900 idle and slow connections cost the others: redis-benchmark with 50 clients
# against kvnode, without and with them, in interleaved rounds.
#
#   bench/servers/crowd.sh [ROUNDS [CONNECTIONS]]     default 5 and 9900; some 3 minutes
#
# Needs redis-benchmark, taskset, Go, and twice as many open files as connections
# (ulimit -n). The server runs on one processor, everything else on another.
set -euo pipefail
rounds=${1:-5} connections=${2:-9900}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
pids=()
finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT
ulimit -n "$(ulimit -Hn)"
(cd "$root" && go build -tags nopeers -o "$dir/" ./cmd/kvnode ./bench/servers/crowd)
taskset -c 1 "$dir/kvnode" --data-dir "$dir/data" --durability os --resp-addr 127.0.0.1:17001 --http-addr= --read-timeout 0 2>"$dir/log" >&2 &
pids+=($!)
sleep 1
measure() { # WITH
	taskset -c 0 redis-benchmark -p 17001 -c 50 -d 100 -r 100000 -n 250000 -t set,get --csv |
		tail -n +2 | tr -d '"' | awk -F, -v OFS=, -v with="$1" '{print with, $1, $2, $5, $7, $8}' >>"$dir/raw.csv"
}
measure warm
for round in $(seq "$rounds"); do
	measure without
	mkfifo "$dir/hold"
	taskset -c 0 "$dir/crowd" -connections "$connections" -address 127.0.0.1:17001 <"$dir/hold" >"$dir/said" &
	crowd=$!
	exec 3>"$dir/hold"
	until grep -q ready "$dir/said"; do kill -0 $crowd; sleep 0.1; done
	measure with
	memory=$(ps -o rss= "${pids[0]}")
	exec 3>&-
	wait $crowd
	rm "$dir/hold"
	sleep 1
done
echo "$(cat "$dir/said"); resident with them: $((memory / 1024)) MiB"
awk -F, '
function median(list, n,    i, j, x) {
	for (i = 2; i <= n; i++) { x = list[i]; for (j = i - 1; j > 0 && list[j] > x; j--) list[j+1] = list[j]; list[j+1] = x }
	return n % 2 ? list[(n+1)/2] : (list[n/2] + list[n/2+1]) / 2
}
$1 != "warm" { k = $2 SUBSEP $1; m = ++n[k]; rate[k, m] = $3; p99[k, m] = $5; longest[k, m] = $6 }
END {
	printf "%-5s %-8s %10s %8s %8s\n", "test", "crowd", "requests/s", "p99 ms", "max ms"
	for (t = 1; t <= 2; t++) for (w = 1; w <= 2; w++) {
		test = t == 1 ? "SET" : "GET"; with = w == 1 ? "without" : "with"; k = test SUBSEP with
		for (r = 1; r <= n[k]; r++) { a[r] = rate[k, r]; b[r] = p99[k, r]; c[r] = longest[k, r] }
		if (w == 2) for (r = 1; r <= n[k]; r++) d[r] = p99[k, r] / p99[test SUBSEP "without", r]
		printf "%-5s %-8s %10d %8.3f %8.2f", test, with, median(a, n[k]), median(b, n[k]), median(c, n[k])
		if (w == 2) { x = median(d, n[k]); printf "   p99 %.2f (%.2f to %.2f)", x, d[1], d[n[k]] }
		print ""
	}
}' "$dir/raw.csv"
