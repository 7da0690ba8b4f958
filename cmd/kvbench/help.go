package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

func overview() string {
	var b strings.Builder
	b.WriteString("kvbench measures key-value engines, and servers over RESP or through the Go client of kvnode.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  kvbench %-40s %s\n", c.name+" "+c.args, c.short)
	}
	b.WriteString(`
Start here:

  kvbench run --workload a,b,c                 three YCSB workloads on a temporary store
  kvbench replay trace.csv                     a real trace, every read verified
  kvbench table quick --html page.html         all engines side by side, in ten minutes
  kvbench run -w a,b,c --target redis=resp://localhost:6379/9 --threads 50
  kvbench run --help                           all flags, with examples
`)
	return b.String()
}

const loadHelp = `Write the records that a workload needs into a store, and measure it.

  kvbench load --dir data                                the records of YCSB: 100,000 rows of 1,000 bytes
  kvbench load --dir data --workload readrandom -n 5M    those of db_bench: 16-byte keys, 100-byte values
  kvbench load --dir data --fresh                        delete the store that is there first

Then "kvbench run --dir data …" with the same --records and sizes uses them.
` + serversHelp + `
  kvbench load --target redis=resp://localhost:6379/9 --threads 4 --pipeline 16

`

// serversHelp is what all commands with --target have in common.
const serversHelp = `
With --target the store is a database of a server: resp:// is Redis, kvnode, or another one
that speaks RESP; http:// is a bucket of kvnode through its Go client, cluster/client.
It must be empty where an empty store is needed, or --fresh deletes all keys in it. The
commands load, run and replay leave there what they wrote. Each of --threads has a connection;
with --pipeline N, over RESP, up to N calls are under way on each. Nothing is tried again: an error, a
connection that breaks, a silence of --timeout, a reply too many or too few ends the
measurement. There is no order of keys, so that what seeks or scans (e, seekrandom, scan, …)
is refused, and so is fillsync: the server's own configuration says what a write has survived.
Processor time and memory are the server's, as its INFO or its status tells. The password, or
a token where there is no user, is in the environment, KVBENCH_PASSWORD_REDIS for a target of
the name redis, and in no report.
Certificates are verified against those of the system, or of SSL_CERT_FILE.
`

const runHelp = `Run workloads one after another. Each finds the records it needs: those that are in
--dir, or it loads them first. Without --dir the store is a temporary one.

  kvbench run --workload a,b,c,f,d,e                     YCSB in the usual order
  kvbench run --workload a --update blind                updates that do not read first
  kvbench run --workload fillrandom,readrandom -n 5M --value-size 100 --memory 256MiB
  kvbench run --workload readrandom --threads 16 --duration 30s --warmup 5s
  kvbench run --workload overwrite --rate 50000 --duration 1m      open loop: latencies from when a call was due
  kvbench run --workload overwrite --rate 70% --duration 1m        … at a share of the capacity, measured first
  kvbench run --workload fillsync --threads 16 --operations 100k
  kvbench run --workload a --json result.json --hgrm histograms
  kvbench run --workload fillseq --benchfmt - | benchstat -
  kvbench run --workload readrandom --engine noop        what the harness itself costs
` + serversHelp + `
  kvbench run -w fillrandom,readrandom --target redis=resp://localhost:6379/9 --threads 50
  kvbench run -w c --target node=resp://localhost:6380 --threads 4 --pipeline 16 --duration 30s
  kvbench run -w a --target node=resps://bench@node1:6380 --rate 20000 --duration 1m
  kvbench run -w a --target resp=resp://localhost:6379/1 --target go=http://localhost:8379 --threads 8

`

const replayHelp = `Replay a trace of requests on an empty store, and compare every read with what the
trace wrote. A read of a key that it has not written is an expected miss.

  kvbench replay trace.csv                               on a temporary store
  kvbench replay --dir data trace.csv.gz                 keep the store
  kvbench replay trace.csv --threads 4                   requests on one key stay in order
  kvbench replay trace.csv --rate 20000                  open loop
  kvbench replay log.txt --key-column 3 --op-column 2 --size-column - --value-size 4KiB
  kvbench replay ops.csv --read-ops GET,EXISTS --write-ops SET --skip-ops PING
  kvbench replay twitter.oracleGeneral                   libCacheSim's binary format

Columns are found by their names in the first line: the key (key, lbn, lba, obj_id, object,
id, block), the operation (op, operation, opcode, cmd, command, type), the size of the value
in bytes (size, length, len, bytes, value_size, obj_size). Operations are read, get, r, 28,
88, …; write, put, set, w, 2a, 8a, …; delete, del, d, 42: words, letters and SCSI opcodes, in
any case. Without an operation, a request reads, or writes what the trace has not written yet.
` + serversHelp + `
  kvbench replay trace.csv --target redis=resp://localhost:6379/9 --threads 8

`

const compareHelp = `Measure engines side by side. In each round each workload runs on each engine, one after
the other, in a process of its own; the order changes. The table has medians over the
rounds, and how many times as fast the first engine is as each other: the median of the
ratios of each round's pair, with an exact interval, and win, tie or loss.

  kvbench compare -w fillrandom,readrandom -n 200k       a first look, in a minute or two
  kvbench compare -w all --html page.html --json all.json
  kvbench compare --engines lsm,goleveldb,noop -w readrandom,a --threads 1,2,16
  kvbench compare -w fillsync --durability sync --operations 20k --rounds 9
  kvbench compare -w readrandom,c --duration 10s --warmup 2s
  kvbench compare -w overwrite --rate 80% --duration 1m  open loop at a share of each engine's capacity
  kvbench compare -w fillrandom --benchfmt b.txt; benchstat -col /engine b.txt
  kvbench report all.json --html page.html               the same again, without measuring

Five rounds give an interval of 93.75%, six one of 96.9%; fewer than five no verdict.
Everything that is set, memory and durability first, applies to all engines. With Ctrl-C
what was measured is reported; a second one ends at once.
` + serversHelp + `
  kvbench compare --target node=resp://localhost:6380 --target redis=resp://localhost:6379/9 \
      -w fillrandom,readrandom,a --threads 50 --rounds 6 --html page.html
  kvbench compare --target … --target … -w all --threads 1,50 --pipeline 16

The first target is compared with the others. All databases are emptied at the end. Each is
the one store of its server: name workloads that fill before those that read, and those of
YCSB together, or it is loaded again in between. "-w all" has those that a server can run.

`

const tableHelp = `Measure a table: groups of workloads, each with its own records, durability and memory, on
all engines, as "kvbench compare" does; and print them as one.

  kvbench table quick --html quick.html                  ten minutes, before and after a change
  kvbench table full --json full.json.gz --html full.html
  kvbench table full --json full.json.gz --resume        the same again after an interruption
  kvbench table full --groups reads,lookups              some groups
  kvbench table cached --json cached.json.gz             reads out of the engines' own caches
  kvbench table quick --engines lsm,pebble-tuned --rounds 5
  kvbench table growth --engines lsm                     what operations cost as data grows
  kvbench report full.json.gz --html full.html           the same again, without measuring

bbolt, which keeps an uncompressed memory map, is a roof for reads and no peer. At
durability os, Pebble is shown beside, because it promises less there. The queue is short,
because the peers walk over all that was deleted at each seek. The column "goal" has the
ratio to the best peer that this project wants to reach at least.

`

const reportHelp = `Print the table of comparisons again, and write their page. The rounds of several files
count together if all of them measured the same, on the same machine, with the same program;
files with different groups of the same table become one table.

  kvbench report all.json --html page.html
  kvbench report morning.json evening.json
  kvbench report reads.json.gz fills.json.gz --markdown table.md

`

const historyHelp = `Draw how the ratio of each row to its best peer went over the commits, from documents that
"kvbench compare" and "kvbench table" wrote with --json: those below bench/results, or in the
directories and files that are named.

  kvbench history                                        in the repository: all results it keeps
  kvbench history -w readrandom,fillrandom               two workloads
  kvbench history bench/results new.json.gz              with one that is not kept yet
  kvbench history --html history.html --csv history.csv

A table, or a line of a plot, has what was measured on the same kind of machine, with the
same settings, against the same engines: other figures do not compare. Results stand in the
order of their commits, "+" marking one of changed source, and where a document does not
know its commit, of when it was measured. A binary knows its commit if it was made by
"go build" within the repository, or by "go run -buildvcs=true".

To keep a result: kvbench table quick --rounds 5 --json bench/results/DATE-NAME/quick.json.gz

`

const limitsHelp = `Measure what the machine itself can do, without any engine: memory, files, syncs, checksums
and compression. "kvbench compare" does the same first, and says how far each row is from it.

  kvbench limits --dir /data
  kvbench limits --json limits.json

`

// list prints what there is.
func list(_ context.Context, args []string, c console) error {
	if len(args) > 0 {
		if args[0] == "-h" || args[0] == "--help" {
			fmt.Fprintln(c.out, "Usage: kvbench list\n\nLists engines, workloads and distributions.")
			return nil
		}
		return usagef("no arguments are expected, not %q", args[0])
	}
	fmt.Fprintln(c.out, "Engines (--engine):")
	for _, k := range engine.Kinds() {
		fmt.Fprintf(c.out, "  %-17s %s\n", k.Name, k.Help)
	}
	fmt.Fprintln(c.out, "\nWorkloads (--workload):")
	for _, w := range workload.List() {
		fmt.Fprintf(c.out, "  %-17s %s\n", w.Name, w.Help)
	}
	fmt.Fprintf(c.out, "\nOf these, for servers (--target): %s\n", strings.Join(forServers(), ", "))
	fmt.Fprintf(c.out, "\nDistributions of requests (--distribution): %s\n", strings.Join(workload.Distributions, ", "))
	return nil
}
