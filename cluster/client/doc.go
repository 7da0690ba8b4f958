// Package client is the Go client of a Ringwood node, over its HTTP API.
//
// # Use
//
//	c, err := client.New(client.Options{Addresses: []string{"http://127.0.0.1:8379"}})
//	defer c.Close()
//	b := c.Bucket("available")
//	_, err = b.Put(ctx, []byte("greeting"), []byte("hello"))
//	e, err := b.Get(ctx, []byte("greeting"))
//	if errors.Is(err, client.ErrNotFound) { … }
//	_, err = b.Put(ctx, e.Key, []byte("hello again"), client.After(e))
//	e, err = b.Update(ctx, key, func(e *client.Entry) ([]byte, error) { return change(e.Value), nil })
//	for item, err := range b.Scan(ctx, client.ScanOptions{Prefix: []byte("user/")}) { … }
//
// # What a write replaces
//
// An Entry carries the context of its read. A Put with After(e) replaces what was read;
// what others wrote meanwhile stays beside it as a sibling. With IfUnchanged(e) the Put
// fails with ErrPrecondition instead. Without either it replaces all that there is. The
// Entry that Put returns carries the context of what was written, for the next write.
// Update is the loop of read, change and IfUnchanged, which loses nothing.
//
// A write survives what its bucket says, and with Sync a power cut in any case.
//
// # Siblings
//
// A Get that finds several siblings returns ErrSiblings, with an Entry that has all of
// them: whoever goes on with one of them as if it were all would erase the others. With
// Options.Resolve, Get returns what that makes of them, and the next Put After the entry
// writes it; Bucket.Resolve does both at once.
//
// # Errors and retries
//
// Every error is an *Error. What the server said is a *wire.Error within, and a code of
// it is compared by errors.Is, as in errors.Is(err, client.ErrNotFound). A write whose error is
// ErrIndeterminate has perhaps happened; all other errors of writes say that it has not.
//
// A request is repeated, after a pause that doubles, as long as Options.Retries and the
// context allow: a read after every failure of the network or an overload of the server;
// a write only if it is certain that the server has not begun it, because no connection
// came about or the server said so; or if it carries a request id, which the server
// applies once, and for five minutes, half the time for which it keeps ids. The memory of
// ids is a node's: a write that has perhaps happened is repeated at the same address only.
// Increment, Update and what is given Once carry an id; with Options.RequestIDs, all
// writes do, which costs the server a second record for each.
//
// # Addresses
//
// Several addresses are nodes of one cluster. The client stays with one that answers, and
// goes on to the next when one does not.
//
// # Safety
//
// Passwords and tokens are sent over TLS, or to loopback; anything else is refused unless
// Options.Plaintext. The client follows no redirects, which could take a login elsewhere,
// and no proxy of the environment. Answers are read up to Options.MaxAnswer bytes.
//
// A Client is safe for concurrent use. It has no goroutines of its own beyond those of
// the connections that Close ends.
package client
