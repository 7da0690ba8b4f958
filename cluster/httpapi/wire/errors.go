package wire

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Code says what kind of error it is. It is what programs compare, and it never changes
// its meaning. Each has one HTTP status.
type Code string

// The codes.
const (
	BadRequest       Code = "bad_request"            // a parameter, header or body makes no sense
	BadContext       Code = "bad_context"            // the context token is malformed, forged, or for another key
	BadCursor        Code = "bad_cursor"             // the cursor is none of this API
	Unauthorized     Code = "unauthorized"           // no login, or a wrong one
	Forbidden        Code = "forbidden"              // logged in, and not allowed to
	HostDenied       Code = "host_denied"            // the Host header is not a name of this server
	OriginDenied     Code = "origin_denied"          // a web page of another origin
	NotFound         Code = "not_found"              // the key has no value
	NoBucket         Code = "no_bucket"              // there is no such bucket
	NoSuch           Code = "no_such"                // there is no such user, role, grant, token or endpoint
	MethodNotAllowed Code = "method_not_allowed"     // the endpoint has other methods
	Timeout          Code = "timeout"                // the request did not arrive in time
	Exists           Code = "exists"                 // a bucket, user, role or checkpoint of that name exists
	Busy             Code = "busy"                   // something else has to end before
	Siblings         Code = "siblings"               // the key has several values, and the operation needs one
	TooManySiblings  Code = "too_many_siblings"      // the write would leave more siblings than the bucket allows
	NotNumber        Code = "not_a_number"           // the value is no integer, or the sum does not fit
	ContextAhead     Code = "context_ahead"          // the context is of a future that this node does not know
	InUse            Code = "in_use"                 // the role is granted to somebody
	LastAdmin        Code = "last_admin"             // nobody could administer users any more
	Precondition     Code = "precondition_failed"    // If-Match or If-None-Match does not hold
	Aborted          Code = "aborted"                // another operation of an atomic batch failed
	TooLarge         Code = "too_large"              // beyond a limit
	MediaType        Code = "unsupported_media_type" // not the content type or encoding that the endpoint takes
	RequestIDReused  Code = "request_id_reused"      // another request had that id
	TooManyLogins    Code = "too_many_logins"        // too many logins failed, or wait
	Overloaded       Code = "overloaded"             // the memory for requests in flight is used up
	Closing          Code = "closing"                // the server is about to stop
	Starting         Code = "starting"               // the server has not opened its store yet
	ReadOnly         Code = "read_only"              // the store takes no writes until it is opened again
	NoSpace          Code = "no_space"               // the disk is full
	Corrupt          Code = "corrupt"                // what is stored cannot be read
	Indeterminate    Code = "indeterminate"          // it is not known whether the write happened
	Internal         Code = "internal"               // something that should not happen
	NotAvailable     Code = "not_available"          // this server does not offer it
)

var codeStatus = map[Code]int{
	BadRequest: http.StatusBadRequest, BadContext: http.StatusBadRequest, BadCursor: http.StatusBadRequest,
	Unauthorized: http.StatusUnauthorized,
	Forbidden:    http.StatusForbidden, HostDenied: http.StatusForbidden, OriginDenied: http.StatusForbidden,
	NotFound: http.StatusNotFound, NoBucket: http.StatusNotFound, NoSuch: http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed, Timeout: http.StatusRequestTimeout,
	Exists: http.StatusConflict, Busy: http.StatusConflict, Siblings: http.StatusConflict, TooManySiblings: http.StatusConflict,
	NotNumber: http.StatusConflict, ContextAhead: http.StatusConflict, InUse: http.StatusConflict, LastAdmin: http.StatusConflict,
	Aborted:      http.StatusConflict,
	Precondition: http.StatusPreconditionFailed, TooLarge: http.StatusRequestEntityTooLarge,
	MediaType: http.StatusUnsupportedMediaType, RequestIDReused: http.StatusUnprocessableEntity,
	TooManyLogins: http.StatusTooManyRequests,
	Overloaded:    http.StatusServiceUnavailable, Closing: http.StatusServiceUnavailable, Starting: http.StatusServiceUnavailable, ReadOnly: http.StatusServiceUnavailable,
	NoSpace: http.StatusInsufficientStorage,
	Corrupt: http.StatusInternalServerError, Indeterminate: http.StatusInternalServerError, Internal: http.StatusInternalServerError,
	NotAvailable: http.StatusNotImplemented,
}

// Codes returns all codes, in alphabetical order.
func Codes() []Code {
	all := make([]Code, 0, len(codeStatus))
	for c := range codeStatus {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Status returns the HTTP status of c, 500 for a code of a later version.
func (c Code) Status() int {
	if s, ok := codeStatus[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Error makes a Code something to compare with errors.Is.
func (c Code) Error() string { return string(c) }

// Error is what went wrong, as it goes to the client.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Hint is the next step for whoever reads it, if there is one.
	Hint string `json:"hint,omitempty"`
	// Definite says that nothing was written. Otherwise it is not known.
	Definite bool `json:"definite"`
	// Operation is the index in its batch of the operation that is concerned.
	Operation *int `json:"operation,omitempty"`

	// RetryAfter is how long to wait before the same request may succeed, 0 if nobody
	// knows. It is a header, and not in the JSON.
	RetryAfter time.Duration `json:"-"`
}

// Errorf returns a definite error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...), Definite: true}
}

// WithHint returns e with a hint.
func (e *Error) WithHint(hint string) *Error {
	e.Hint = hint
	return e
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Is makes errors.Is(err, NotFound) hold for an Error of that code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Failure is the body of an answer that is an error.
type Failure struct {
	Error *Error `json:"error"`
}
