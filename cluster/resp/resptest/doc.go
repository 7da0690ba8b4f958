// Package resptest holds the server, or any server that claims to be like it, against a
// redis-server 7.0, and a store against what package exec asks of one. The tests of
// this project use it with the plain store in memory; the ones of a real store use it
// again with theirs.
//
//	func TestLikeRedis(t *testing.T) {
//		network, addr := resptest.StartRedis(t)
//		resptest.Differential(t, resptest.Config{…})
//	}
//
// The random commands follow from a seed alone. What depends on the time is chosen so
// that it lies in the past or far in the future, and compared with a tolerance.
package resptest
