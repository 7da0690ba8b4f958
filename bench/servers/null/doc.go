// Command null answers what redis-benchmark sends for SET and GET without looking at it: it
// counts requests, and says OK to what begins like a SET, and 100 bytes to the rest. What
// redis-benchmark measures of it is the pace of redis-benchmark and of the kernel, and the
// comparison of servers says little where they come near it. Linux only.
//
//	go run ./bench/servers/null -address 127.0.0.1:17005
package main
