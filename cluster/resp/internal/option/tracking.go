package option

import "github.com/ringwood-kv/ringwood/cluster/resp/wire"

// Tracking is what a client has chosen with CLIENT TRACKING and CLIENT CACHING.
type Tracking struct {
	On bool
	// OptIn tracks what follows CLIENT CACHING YES only, OptOut all but what follows
	// CLIENT CACHING NO.
	OptIn, OptOut bool
	NoLoop        bool
	Caching       bool // CLIENT CACHING was the last command
}

// Tracks reports whether the keys that the next command reads are tracked.
func (t *Tracking) Tracks() bool {
	return t.On && (!t.OptIn || t.Caching) && (!t.OptOut || !t.Caching)
}

const (
	errBroadcast   wire.Error = "ERR BCAST is not supported"
	errRedirect    wire.Error = "ERR REDIRECT is not supported"
	errPrefix      wire.Error = "ERR PREFIX option requires BCAST mode to be enabled"
	errBothOpt     wire.Error = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errSwitchOpt   wire.Error = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errNoTracking  wire.Error = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errCachingYes  wire.Error = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	errCachingNone wire.Error = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
)

// ParseTracking parses CLIENT TRACKING ON|OFF [OPTIN] [OPTOUT] [NOLOOP] of a client that
// has old, and returns what it has then.
func ParseTracking(args [][]byte, old Tracking) (t Tracking, err error) {
	broadcast, prefix := false, false
	for i := 3; i < len(args); i++ {
		switch a, more := args[i], len(args)-i-1; {
		case is(a, "REDIRECT") && more > 0:
			return old, errRedirect
		case is(a, "BCAST"):
			broadcast = true
		case is(a, "OPTIN"):
			t.OptIn = true
		case is(a, "OPTOUT"):
			t.OptOut = true
		case is(a, "NOLOOP"):
			t.NoLoop = true
		case is(a, "PREFIX") && more > 0:
			prefix = true
			i++
		default:
			return old, wire.ErrSyntax
		}
	}
	switch {
	case is(args[2], "OFF"):
		return Tracking{}, nil
	case !is(args[2], "ON"):
		return old, wire.ErrSyntax
	case broadcast:
		return old, errBroadcast
	case prefix:
		return old, errPrefix
	case t.OptIn && t.OptOut:
		return old, errBothOpt
	case t.OptIn && old.OptOut || t.OptOut && old.OptIn:
		return old, errSwitchOpt
	}
	t.On, t.Caching = true, old.Caching
	return t, nil
}

// ParseCaching parses CLIENT CACHING YES|NO of a client that has t.
func ParseCaching(args [][]byte, t Tracking) error {
	switch a := args[2]; {
	case !t.On:
		return errNoTracking
	case is(a, "YES") && !t.OptIn:
		return errCachingYes
	case is(a, "NO") && !t.OptOut:
		return errCachingNone
	case !is(a, "YES") && !is(a, "NO"):
		return wire.ErrSyntax
	}
	return nil
}
