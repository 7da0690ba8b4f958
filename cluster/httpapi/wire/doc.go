// Package wire is what the HTTP API and its clients say to each other: the names of
// headers, the JSON shapes, and the codes of errors. The server and the Go client
// compile against the same types, so that they cannot differ.
//
// # Bytes
//
// Keys and values are bytes, and JSON has only text. Each has two fields, of which one
// is there: "key" if the bytes are UTF-8, otherwise "key_base64" (RFC 4648, with
// padding); "value" and "value_base64" likewise. Requests may use either. A text that JSON could
// only hold in an altered form is refused (CheckText), never altered: the decoder of the
// standard library would replace what is not UTF-8 by U+FFFD, which is another key.
//
// # Times
//
// How long something lives is in seconds with up to three decimals, in JSON as in
// headers (Seconds). Moments are RFC 3339 in UTC, with milliseconds.
//
// # Errors
//
// An Error has a Code that does not change, a message for people, what to do next, and
// whether it is definite: a definite error says that nothing was written. Code is an
// error too, so that errors.Is(err, wire.NotFound) works on both sides.
package wire
