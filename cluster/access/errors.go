package access

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInvalid says that an argument breaks a rule of its type.
	ErrInvalid = errors.New("access: invalid")
	// ErrFormat says that bytes are not an encoding of this package.
	ErrFormat = errors.New("access: malformed encoding")
	// ErrVersion says that a State was written by a later version.
	ErrVersion = errors.New("access: the state is of a later version")
	// ErrExists says that there is a user, role or grant of that name already.
	ErrExists = errors.New("access: exists already")
	// ErrNotFound says that there is no such user, role, grant or token.
	ErrNotFound = errors.New("access: not found")
	// ErrLastAdmin says that a change would leave nobody who can administer users. It can
	// be forced.
	ErrLastAdmin = errors.New("access: no administrator who can log in would be left")
	// ErrInUse says that a role is granted to somebody.
	ErrInUse = errors.New("access: the role is granted to a user")
	// ErrTooLarge says that a State would pass one of the limits.
	ErrTooLarge = errors.New("access: too large")
	// ErrDenied says that somebody has not the right to what was asked for.
	ErrDenied = errors.New("access: permission denied")
	// ErrBusy says that too many logins wait already. Nothing was judged; the same
	// login may succeed a second later.
	ErrBusy = errors.New("access: too many logins at once, try again")

	// ErrLogin is what every *LoginError is.
	ErrLogin = errors.New("access: invalid user name, password or token, or the user is disabled")
	// ErrLimited is what every *LimitedError is.
	ErrLimited = errors.New("access: too many failed logins")
)

// Reason says why a login was refused.
type Reason uint8

// The reasons.
const (
	UnknownUser Reason = iota + 1
	WrongPassword
	UnknownToken
	Disabled
	Expired
)

var reasonNames = [...]string{"?", "unknown user", "wrong password", "unknown token", "disabled", "expired"}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return reasonNames[0]
}

// LoginError says that a login was refused. Its text does not depend on the reason and
// may go to the client. User, as the client gave it, and Reason are for the log of the
// server alone: a client that hears them learns which users exist.
type LoginError struct {
	User   string
	Reason Reason
}

func (e *LoginError) Error() string { return ErrLogin.Error() }

// Unwrap makes errors.Is(err, ErrLogin) hold.
func (e *LoginError) Unwrap() error { return ErrLogin }

// LimitedError says that a login was not judged, because too many have failed before.
// It does not depend on whether the user exists.
type LimitedError struct {
	RetryAfter time.Duration // until then the answer stays the same
}

func (e *LimitedError) Error() string {
	s := (e.RetryAfter + time.Second - 1) / time.Second
	return fmt.Sprintf("%v: try again in %d s", ErrLimited, s)
}

// Unwrap makes errors.Is(err, ErrLimited) hold.
func (e *LimitedError) Unwrap() error { return ErrLimited }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}
