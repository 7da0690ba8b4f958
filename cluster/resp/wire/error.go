package wire

import "strings"

// Error is an error reply: a code in capitals, a space, and a text. As an error value
// it is what a client is to be told.
type Error string

func (e Error) Error() string { return string(e) }

// Code is the word that clients look at: ERR, WRONGTYPE, NOAUTH and so on.
func (e Error) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// Replies that several commands share.
const (
	ErrSyntax     Error = "ERR syntax error"
	ErrNotInteger Error = "ERR value is not an integer or out of range"
	ErrNotFloat   Error = "ERR value is not a valid float"
	ErrWrongType  Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrNoKey      Error = "ERR no such key"
	ErrSameObject Error = "ERR source and destination objects are the same"
	ErrDBRange    Error = "ERR DB index is out of range"
	ErrOffset     Error = "ERR offset is out of range"
	ErrTooLong    Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	ErrNoAuth     Error = "NOAUTH Authentication required."
	ErrNoProto    Error = "NOPROTO unsupported protocol version"
	ErrOverflow   Error = "ERR increment or decrement would overflow"
)

// Protocol errors: the connection ends with them.
const (
	errInline         Error = "ERR Protocol error: too big inline request"
	errQuotes         Error = "ERR Protocol error: unbalanced quotes in request"
	errCountLine      Error = "ERR Protocol error: too big mbulk count string"
	errCount          Error = "ERR Protocol error: invalid multibulk length"
	errCountUnauth    Error = "ERR Protocol error: unauthenticated multibulk length"
	errBulkLine       Error = "ERR Protocol error: too big bulk count string"
	errBulk           Error = "ERR Protocol error: invalid bulk length"
	errBulkUnauth     Error = "ERR Protocol error: unauthenticated bulk length"
	errRequestTooBig  Error = "ERR Protocol error: too big request"
	errExpectedPrefix       = "ERR Protocol error: expected '$', got '"
)

// oneLine replaces what would end the line of a reply early.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c == '\r' || c == '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}
