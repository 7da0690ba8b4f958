package engine

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Server is an Engine that is a program of its own, reached over a network. It has its own
// memory and durability, by its own configuration, and no directory that this process
// sees: what it costs is what it tells.
//
// A server keeps its keys in no order, so that NewIter returns an error.
type Server interface {
	Engine
	// Identity says which program it is.
	Identity() Identity
	// Keys returns how many keys its database holds.
	Keys() (int64, error)
	// Clear deletes all of them, whoever wrote them.
	Clear() error
	// Check makes sure that each call was answered once. No call may be under way.
	Check() error
	// Usage returns what the server has used until now, by its own account.
	Usage() (Usage, error)
}

// Remote is how a server is reached.
type Remote struct {
	Name     string // of the Kind
	URL      string // without a password
	Password string
	// Timeout is how long a server may be silent while a call waits; 0 means 10 seconds.
	Timeout time.Duration
	// Roots are the certificates to trust; nil means those of the system.
	Roots *x509.CertPool
}

// Identity is what a server says about itself, and how it is reached. It has no password.
type Identity struct {
	Address  string `json:"address"`
	Name     string `json:"name"` // of the program
	Version  string `json:"version,omitempty"`
	Settings string `json:"settings,omitempty"` // those that a measurement depends on, as it tells them
	// Run tells apart two servers, "" if they do not tell, and Database what they keep apart,
	// whatever protocol it is reached by.
	Run      string `json:"-"`
	Database string `json:"-"`
}

func (i Identity) String() string {
	s := strings.TrimSpace(i.Name+" "+i.Version) + " at " + i.Address
	if i.Settings != "" {
		s += fmt.Sprintf(" (%s)", i.Settings)
	}
	return s
}

// Usage is what a server has used; nil is what it does not tell.
type Usage struct {
	User, System *time.Duration // processor time since it began
	Both         *time.Duration // the same together, where the parts are not known
	Resident     *int64         // bytes of memory now
}

// CPU returns user and system time together, nil if that is not known.
func (u Usage) CPU() *time.Duration {
	if u.Both != nil {
		return u.Both
	}
	if u.User == nil || u.System == nil {
		return nil
	}
	sum := *u.User + *u.System
	return &sum
}
