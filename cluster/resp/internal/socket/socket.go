// Package socket serves many sockets of clients with little ado: it finds out which of
// them are ready, in the order in which they became so, and reads and writes them without
// telling the scheduler.
//
// The standard library does the same for everybody, and that has a price for a server
// whose clients wait for each reply:
//
//   - Its poller readies goroutines in the reverse order of their events, so that of fifty
//     clients one waits for two rounds now and then. Here it is first come, first served.
//   - Each of its reads that would block is a system call in vain. Here a socket whose last
//     read left nothing is not read before its next event.
//   - Its system calls tell the scheduler before and after. One that takes some 20 us, as a
//     write to a client on the same machine does that carries the packet all the way to the
//     receiver, is taken for one that blocks: its processor goes to another thread, and it
//     queues up behind. These sockets never block, so that nobody has to be told.
//
// It is Linux on common processors only; elsewhere Adopt returns what it is given.
package socket
