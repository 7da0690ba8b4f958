// Command kvnode is a store that Redis clients, HTTP clients and Go programs use over the
// network: a node of a ring of one.
//
//	go run ./cmd/kvnode                 serves on 127.0.0.1, and says how to use it
//	kvnode --help                       all settings; kvnode --check-config, --print-config
//	kill -HUP PID                       reads settings and certificates again
//	kill PID                            stops it in order, a second time at once
//
// Exit status: 0 it was stopped in order, 1 it failed, 2 the settings are wrong or unsafe.
// --check-config ends with 1 if there is something wrong.
//
// # Where what is
//
//	internal/config    the settings: one table, from which flags, variables and file come
//	internal/metrics   what /metrics shows
//	internal/notify    what systemd is told
//	METRICS.md         each name of /metrics
//	SECURITY.md        the threat model
//	kvnode.service     a unit for systemd
//	cluster/docs/node.md    how to run a node
//
// The package itself is what holds these together: run is the life of the process, and
// everything else a step of it. The data, the users and the protocols are in package
// cluster.
package main
