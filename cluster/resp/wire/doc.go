// Package wire is the Redis protocol on a connection: a Reader of requests and a Writer
// of replies. The server's connections use both; the tools may use them too. It
// knows nothing of commands, keys or stores.
//
//	r := wire.NewReader(conn, wire.Limits{})
//	w := wire.NewWriter(conn)
//	for {
//		args, err := r.Next() // args[0] is the name of the command
//		if e, ok := err.(wire.Error); ok {
//			w.Error(e) // a protocol error: say so and close
//		}
//		if err != nil {
//			w.Flush()
//			return
//		}
//		handle(w, args)
//		if !r.Ready() {
//			w.Flush() // the next call of Next is going to wait
//		}
//	}
//
// A request is an array of bulk strings or a line of words, the replies are RESP2 or
// RESP3. The texts of protocol errors, the limits and the shape of each reply are
// those of Redis 7.0.
//
// The Reader takes input in pieces of any size and gives the same requests for every
// way of cutting it. What a client announces costs nothing but a first buffer of 32 KiB
// for a large argument: memory grows with the bytes that have arrived, to at most about
// three times their number and 32 bytes for each argument. A request of small arguments
// that is whole in the buffer costs no allocation, nor does a small reply. Neither type
// starts a goroutine or sets a deadline; both belong to one goroutine at a time.
//
// Differences to Redis 7.0 that are meant: a request has at most 1,048,576 arguments
// (as in Redis 6; 7.0 counts to 2^31-1) and a limited size in sum; a line of more than
// 64 KiB is refused however it was cut, where Redis takes it if it came in one piece;
// a NUL byte in a line or in front of a length is a byte like others, where Redis waits
// for ever.
package wire
