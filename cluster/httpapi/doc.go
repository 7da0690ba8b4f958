// Package httpapi is the HTTP API of a node, under /v1: keys of buckets with their
// siblings, contexts and times to live, batches, scans, buckets, users, and what an
// operator asks a node. It serves any Store.
//
// # Use
//
//	api, err := httpapi.New(httpapi.Options{Store: store, Access: &httpapi.Access{Door: door, Policy: policy}})
//	other := api.Guard(access.Status, metrics) // what is beside /v1/
//
// The server around it has to bound connections, headers and the time for them, as the
// node does that package cluster assembles. The API is not behind an http.ServeMux, which
// would redirect /v1/…/keys/a//b to another key.
//
// With curl:
//
//	curl -X PUT --data-binary @photo.jpg localhost:8379/v1/buckets/available/keys/photos/1
//	curl localhost:8379/v1/buckets/available/keys/photos/1
//
// The endpoints, with what they take and answer, are in openapi.json, which is served at
// /v1/openapi.json and which the tests hold against the server. What follows is what it
// cannot say.
//
// # Keys
//
// A key is the rest of the path after /keys/, percent-decoded: any bytes, slashes
// included, also the empty key. A path with an empty segment or with the segments "."
// and ".." is refused, where HTTP software would silently change it into another one:
// such keys are written with %2F and %2E.
//
// # One value, several values
//
// A read of a key with one value answers with its bytes. A key with several siblings
// answers 300 and a JSON document with all of them, the latest first. Accept:
// application/json gets the document in any case, with 200; and ?sibling=latest the bytes
// of the latest, with 200, where the client wants last-writer-wins. Every answer has the
// context, also 404, and Ringwood-Siblings says how many there are.
//
// # What a write replaces
//
// A write with Ringwood-Context replaces what its client had read, and what others wrote
// meanwhile stays beside it as a sibling. A write without one replaces all that the
// node holds, which is what PUT means. If-Match and If-None-Match are judged in one
// step with the write, against the set of siblings: with If-Match, or If-None-Match: *,
// no write of others is lost and no sibling arises. The answer has a context and an ETag
// for the next write of the same client, but not if siblings remain, which it has not read.
//
// The ETag names the set of live siblings. Its form for the JSON document ends in -json,
// for the latest of several in -latest; a precondition of a write takes each of them.
//
// # Durability
//
// A write has survived what the durability of its bucket says when it is acknowledged:
// sync, a power cut; os, the death of the process; none, nothing. With Ringwood-Durability
// it has survived at least what that says; a repetition of a request id has to say the
// same.
//
// # Request ids
//
// A write with Ringwood-Request-Id is applied once: the store commits the id, under the
// user's name, in the batch of the write, and answers a repetition from that, with
// Ringwood-Replayed: true, also after a crash of the node. An id that comes back with
// another write is an error. How long ids are kept is the store's to say; see its
// package. A write that failed as definite was not applied and leaves no id: the same
// request may succeed later.
//
// # Errors
//
// An error is {"error": {code, message, hint, definite}}: see package wire. Definite says
// that nothing was written.
//
// # Invariants
//
//  1. Nothing is read or written before the Host, the Origin and the login have been
//     judged, and the body is read after that.
//  2. Each key that is touched or told about is asked for, in the one function may of a
//     call. What needs two verbs, because the answer tells of the old value, asks for both:
//     preconditions and increments need read and write.
//  3. A key that the client may not see and one that does not exist get the same answer:
//     403 comes before the store is asked.
//  4. What a request or an answer occupies is taken from a budget as it grows, never by
//     what a header says, and given back when the answer is out. What is read from the
//     store is charged when it is there, so few calls read at a time; and a large value
//     becomes JSON piece by piece, while it is sent.
//  5. Passwords and tokens are in no log, error or answer; a new token is in one answer.
//
// # Safety
//
// A Host that is neither an IP address, localhost nor an allowed name is refused, which
// stops DNS rebinding. A request of a web page of another origin is refused, and allowed
// origins, none by default, get CORS. JSON is taken as application/json only. Values
// are sent as application/octet-stream with nosniff and a sandbox. Those who have not logged
// in are somebody only on loopback, where nobody has to log in, and not through a proxy,
// which would make the world local: a request with Forwarded, Via or X-Forwarded-For is
// not local.
//
// # Failures
//
// A scan that fails on its way ends with a line that has an error; one that ends without
// a last line was cut. A client that sends or takes too slowly is cut off. A panic is
// answered with 500 and logged; the others are served on.
//
// # What it does not do
//
// It does not store users, keep a slow log or know the configuration: Options has
// interfaces for those who do, and an endpoint without one answers 501. It does not
// compress, and takes nothing compressed. It remembers no content types: a value is bytes.
package httpapi
