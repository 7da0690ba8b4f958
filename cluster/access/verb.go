package access

import (
	"math/bits"
	"strings"
)

// Verb is what somebody may do, or a set of it. The package documentation says which
// operation needs which.
type Verb uint32

// The verbs on keys, which scopes narrow.
const (
	Read Verb = 1 << iota
	Write
	Delete
	Scan

	// The verbs on the server as a whole, which have no scope.
	Status
	AdminClients
	AdminConfig
	AdminMaintain
	AdminBuckets
	AdminCluster
	AdminUsers

	verbEnd
)

// Sets of verbs.
const (
	DataVerbs   = Read | Write | Delete | Scan
	AllVerbs    = verbEnd - 1
	ServerVerbs = AllVerbs &^ DataVerbs
)

var verbNames = [...]string{
	"read", "write", "delete", "scan",
	"status", "admin-clients", "admin-config", "admin-maintain", "admin-buckets", "admin-cluster", "admin-users",
}

// ParseVerb returns the verb of a name. The error is ErrInvalid and lists the names.
func ParseVerb(name string) (Verb, error) {
	for i, n := range verbNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, invalid("there is no verb %.40q; there are %s", name, strings.Join(verbNames[:], ", "))
}

// Names returns the names of the verbs in the set, always in the same order.
func (v Verb) Names() []string {
	var names []string
	for ; v != 0; v &= v - 1 {
		if i := bits.TrailingZeros32(uint32(v)); i < len(verbNames) {
			names = append(names, verbNames[i])
		}
	}
	return names
}

func (v Verb) String() string { return strings.Join(v.Names(), "+") }
