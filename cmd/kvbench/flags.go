package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
	"github.com/spf13/pflag"
)

// options are what the flags of the commands say.
type options struct {
	*pflag.FlagSet

	engine     string
	dir        string
	fresh      bool
	memory     byteSize
	durability durability
	threads    int
	seed       uint64
	ratio      float64
	valueSize  byteSize

	rate     rate
	duration time.Duration
	pause    time.Duration
	control  bool

	params     workload.Params
	records    count
	operations count
	keySize    byteSize
	queue      count
	warmup     time.Duration

	servers servers
	output  outputs
}

// newOptions makes an empty set of flags, with the help of a command.
func newOptions(name, usage, help string, c console) *options {
	o := &options{FlagSet: pflag.NewFlagSet(name, pflag.ContinueOnError)}
	o.SortFlags = false
	o.SetOutput(c.out)
	o.Usage = func() {
		fmt.Fprintf(c.out, "Usage: kvbench %s %s\n\n%s%s", name, usage, help, o.FlagUsages())
	}
	return o
}

// storeFlags are those of commands that work on one store.
func (o *options) storeFlags() {
	o.StringVar(&o.engine, "engine", engine.Kinds()[0].Name, "what to measure, by `NAME`; kvbench list shows them")
	o.StringVar(&o.dir, "dir", "", "directory of the store; without it a temporary one, removed afterwards")
	o.BoolVar(&o.fresh, "fresh", false, "delete the store that is in --dir first, or all keys in the database of --target")
	o.IntVar(&o.threads, "threads", 1, "operations under way at the same time")
	o.engineFlags()
	o.serverFlags()
}

// engineFlags say how engines are opened, and what is written to them.
func (o *options) engineFlags() {
	o.memory, o.durability = 256<<20, durability{engine.OS}
	o.Var(&o.memory, "memory", "memory budget of the engine")
	o.Var(&o.durability, "durability", "what a write has survived when it is acknowledged: a power cut, the death of the process, nothing")
	o.Uint64Var(&o.seed, "seed", 1, "of everything random: the same seed performs the same operations")
	o.Var(&o.valueSize, "value-size", "bytes of a value (default 1000 for YCSB, 100 for others)")
	o.Float64Var(&o.ratio, "compression-ratio", 0.5, "share of their size to which values compress")
}

// loopFlags are those of what is driven for its own sake.
func (o *options) loopFlags() {
	o.Var(&o.rate, "rate", "open loop: operations a second, or a share of the capacity, which is measured first")
	o.DurationVar(&o.duration, "duration", 0, "stop after this time, like 30s")
	o.DurationVar(&o.pause, "pause", 10*time.Millisecond, "list calls that take this long as pauses")
	o.BoolVar(&o.control, "control", true, "beside an open loop, run a process that only writes and syncs on the same disk, to tell its pauses apart")
}

// recordFlags are those of workloads.
func (o *options) recordFlags() {
	o.VarP(&o.records, "records", "n", "records in the store (default 100000 for YCSB, 1000000 for others)")
	o.Var(&o.keySize, "key-size", "bytes of a key, for others than YCSB (default 16)")
}

func (o *options) workloadFlags() {
	o.Var(&o.operations, "operations", "operations to perform (default: as many as records, for most)")
	o.DurationVar(&o.warmup, "warmup", 0, "run this long before measuring, for workloads that do not fill a store")
	o.StringVar((*string)(&o.params.Update), "update", string(workload.Row), "YCSB updates: row (read the row, change a field, write it) or blind (write a new row)")
	o.StringVar(&o.params.Distribution, "distribution", "", "of the requests, by `NAME`, in place of the workload's own; kvbench list shows them")
	o.Float64Var(&o.params.HotSet, "hot-set", 0.2, "hotspot: this share of the records …")
	o.Float64Var(&o.params.HotOps, "hot-ops", 0.8, "… gets this share of the operations")
	o.IntVar(&o.params.Batch, "batch", 100, "fillbatch: records in a batch")
	o.IntVar(&o.params.Nexts, "nexts", 10, "seekrandom, seekreverse: steps after a seek")
	o.Var(&o.queue, "queue", "deleteseq: length of the queue (default 10000)")
	o.Float64Var(&o.params.WriteRate, "write-rate", 0, "readwhilewriting: writes a second; 0 is as fast as it goes")
}

// parse reads the command line. The arguments that are no flags are left in Args.
func (o *options) parse(args []string) error {
	err := o.FlagSet.Parse(args)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return usageError{err}
}

// configs makes configurations of sessions of it: one, or one for each server.
func (o *options) configs() ([]session.Config, error) {
	targets, passwords, err := o.targets()
	if err != nil {
		return nil, err
	}
	switch {
	case o.threads < 1:
		return nil, usagef("--threads %d: at least one is needed", o.threads)
	case o.fresh && o.dir == "" && len(targets) == 0:
		return nil, usagef("--fresh deletes the store in --dir, or the keys of a --target: name one; a temporary store is always fresh")
	}
	p, err := o.sizes()
	if err != nil {
		return nil, err
	}
	p.Threads = o.threads
	c := session.Config{
		Fresh: o.fresh, Params: p, Rate: o.rate.perSecond, Share: o.rate.share, Duration: o.duration, Warmup: o.warmup, PauseAt: o.pause,
	}
	if len(targets) == 0 {
		c.Dir, c.Memory, c.Durability, c.Control = o.dir, int64(o.memory), o.durability.Durability, o.control
		if c.Kind, err = engine.Find(o.engine); err != nil {
			return nil, usageError{err}
		}
		return []session.Config{c}, nil
	}
	var list []session.Config
	c.Pipeline = o.servers.pipeline
	for _, t := range targets {
		c.Kind = t.Kind(remote.Options{Passwords: passwords, Timeout: o.servers.timeout})
		list = append(list, c)
	}
	return list, nil
}

// sizes makes a workload's parameters of the flags, without threads.
func (o *options) sizes() (workload.Params, error) {
	switch {
	case o.duration < 0 || o.warmup < 0 || o.pause < 0:
		return o.params, usagef("--duration, --warmup and --pause can't be negative")
	case o.Changed("value-size") && o.valueSize == 0 || o.Changed("key-size") && o.keySize == 0:
		return o.params, usagef("--value-size and --key-size are at least 1")
	case o.ratio <= 0 || o.ratio > 1:
		return o.params, usagef("--compression-ratio %v: write a share above 0 and up to 1", o.ratio)
	}
	p := o.params
	p.Records, p.Operations, p.Queue = int64(o.records), int64(o.operations), int64(o.queue)
	p.KeySize, p.ValueSize = int(o.keySize), int(o.valueSize)
	p.Seed, p.Ratio = o.seed, o.ratio
	return p, nil
}
