#!/usr/bin/env bash
# kvnode beside redis-server, by redis-benchmark, in interleaved rounds.
#
#   bench/servers/redis.sh [ROUNDS]          default 7; some 20 minutes, on two processors or more
#
# The servers run on one processor and redis-benchmark on another, with 50 clients and
# values of 100 bytes. Needs redis-server, redis-benchmark, taskset and Go. Everything is
# in a temporary directory; the servers take ports 17001 to 17004 of 127.0.0.1.
#
# It prints a table: for each test the median of requests/s and of p99, and of the ratios
# to the first server of its group within each round, with the lowest and the highest.
# RAW=FILE keeps each measurement: round,group,pipeline,keys,server,test,requests/s,p50,p99,max.
set -euo pipefail
rounds=${1:-7}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
raw=${RAW:-$dir/raw.csv}
: >"$raw"
pids=()
finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT

(cd "$root" && go build -tags nopeers -o "$dir/kvnode-program" ./cmd/kvnode && go build -o "$dir/null" ./bench/servers/null)
server=1 client=0 # processors

redis() { # NAME PORT APPENDFSYNC
	mkdir "$dir/$1"
	taskset -c $server redis-server --port "$2" --dir "$dir/$1" --appendonly yes --appendfsync "$3" --save '' --logfile log &
	pids+=($!)
}
kvnode() { # NAME PORT DURABILITY MEMORY
	taskset -c $server "$dir/kvnode-program" --data-dir "$dir/$1" --durability "$3" --memory "$4" --resp-addr "127.0.0.1:$2" --http-addr= 2>"$dir/$1.log" >&2 &
	pids+=($!)
}
await() { # PORT
	for _ in $(seq 100); do
		redis-cli -p "$1" ping >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "no server on port $1" >&2
	exit 1
}
stop() {
	kill "${pids[@]}"
	wait
	pids=()
}
measure() { # ROUND GROUP PIPELINE KEYS REQUESTS NAME PORT TESTS
	local random=()
	[ "$4" = 1 ] || random=(-r "$4")
	taskset -c $client redis-benchmark -p "$7" -c 50 -d 100 "${random[@]}" -n "$5" -P "$3" -t "$8" --csv |
		tail -n +2 | tr -d '"' | awk -F, -v OFS=, -v head="$1,$2,$3,$4,$6" '{print head, $1, $2, $5, $7, $8}' >>"$raw"
}

echo "durability: appendfsync everysec, kvnode os" >&2
redis redis 17001 everysec
kvnode kvnode 17002 os 256MiB
await 17001
await 17002
null() { # it never sleeps, and runs only while it is measured
	taskset -c $server "$dir/null" -address 127.0.0.1:17005 &
	local pid=$!
	sleep 0.2
	"$@"
	kill $pid
	wait $pid || true
}
for round in $(seq "$rounds"); do
	for keys in 1 100000; do
		for pipeline in 1 16; do
			for s in redis:17001 kvnode:17002; do
				measure "$round" os $pipeline $keys $((pipeline == 1 ? 250000 : 1500000)) "${s%:*}" "${s#*:}" set,get
			done
			null measure "$round" os $pipeline $keys $((pipeline == 1 ? 250000 : 1500000)) null 17005 set,get
		done
	done
done
stop

echo "every write is on the disk: appendfsync always, kvnode sync" >&2
redis redis-always 17001 always
kvnode kvnode-sync 17002 sync 256MiB
await 17001
await 17002
for round in $(seq "$rounds"); do
	for s in redis-always:17001 kvnode-sync:17002; do
		measure "$round" sync 1 100000 20000 "${s%:*}" "${s#*:}" set
	done
done
stop

echo "data of four times the memory, beside data that fits" >&2
kvnode fits 17003 os 64MiB
kvnode fourfold 17004 os 64MiB
await 17003
await 17004
redis-benchmark -p 17003 -c 50 -d 100 -r 100000 -n 500000 -P 16 -t set -q >/dev/null
redis-benchmark -p 17004 -c 50 -d 100 -r 2300000 -n 9000000 -P 16 -t set -q >/dev/null
sleep 10 # compactions
for round in $(seq "$rounds"); do
	for pipeline in 1 16; do
		measure "$round" memory $pipeline 100000 $((pipeline == 1 ? 250000 : 1500000)) fits 17003 get
		measure "$round" memory $pipeline 2300000 $((pipeline == 1 ? 250000 : 1500000)) fourfold 17004 get
	done
done
echo "resident, MiB: fits $(($(ps -o rss= "${pids[0]}") / 1024)), fourfold $(($(ps -o rss= "${pids[1]}") / 1024)); on disk, MiB: $(du -sm "$dir/fits" | cut -f1), $(du -sm "$dir/fourfold" | cut -f1)"
stop

# The first server of a group is what the others are compared with. In the group memory the
# number of keys differs between the two, and is no part of the test.
awk -F, '
function median(list, n,    i, j, x) {
	for (i = 2; i <= n; i++) { x = list[i]; for (j = i - 1; j > 0 && list[j] > x; j--) list[j+1] = list[j]; list[j+1] = x }
	return n % 2 ? list[(n+1)/2] : (list[n/2] + list[n/2+1]) / 2
}
{
	test = $6 " -P " $3 ($2 == "memory" ? "" : $4 == 1 ? ", one key" : ", " $4 " keys")
	k = $2 SUBSEP test
	if (!(k in first)) { first[k] = $5; order[++tests] = k }
	s = k SUBSEP $5
	if (!(s in n)) servers[k] = servers[k] " " $5
	n[s]++
	rate[s, n[s]] = $7; p99[s, n[s]] = $9
}
END {
	printf "%-34s %-13s %10s %8s   %s\n", "test", "server", "requests/s", "p99 ms", "ratio of requests/s, of p99 (lowest to highest)"
	for (t = 1; t <= tests; t++) {
		k = order[t]; split(k, part, SUBSEP)
		m = split(servers[k], names, " ")
		for (i = 1; i <= m; i++) {
			s = k SUBSEP names[i]; f = k SUBSEP first[k]
			for (r = 1; r <= n[s]; r++) { a[r] = rate[s, r]; b[r] = p99[s, r]; c[r] = rate[s, r] / rate[f, r]; d[r] = p99[s, r] / p99[f, r] }
			ra = median(a, n[s]); pb = median(b, n[s]); rc = median(c, n[s]); rd = median(d, n[s])
			printf "%-34s %-13s %10d %8.3f", part[2], names[i], ra, pb
			if (names[i] != first[k]) printf "   %.2f (%.2f to %.2f), %.2f (%.2f to %.2f)", rc, c[1], c[n[s]], rd, d[1], d[n[s]]
			print ""
		}
	}
}' "$raw"
