package wire

import "time"

// The headers.
const (
	HeaderContext    = "Ringwood-Context"    // out with every read of a key, in with a write
	HeaderTTL        = "Ringwood-TTL"        // in: how long a value is to live; out: how long it still does; Seconds
	HeaderSiblings   = "Ringwood-Siblings"   // out: how many values a key has
	HeaderDurability = "Ringwood-Durability" // in: what a write survives at least, as in BucketConfig
	HeaderRequestID  = "Ringwood-Request-Id" // in: the name of a write; out again
	HeaderReplayed   = "Ringwood-Replayed"   // out: "true", the write had been done before
)

// The media types.
const (
	JSON   = "application/json"
	NDJSON = "application/x-ndjson"
	Raw    = "application/octet-stream"
)

// MaxRequestID is the length of the longest request id, in characters.
const MaxRequestID = 64

// RequestIDLife is how long a server keeps a request id at least. A repetition that comes
// later is applied again.
const RequestIDLife = 10 * time.Minute

// Sibling is one of the values of a key.
type Sibling struct {
	Value
	Written time.Time `json:"written"`          // by the clock of the node that took it
	Expires time.Time `json:"expires,omitzero"` // zero: never
	TTL     Seconds   `json:"ttl,omitempty"`    // until then
}

// Entry is what is known of a key.
type Entry struct {
	Key
	Siblings []Sibling `json:"siblings"`          // the latest first; none: there is no value
	Context  string    `json:"context,omitempty"` // for the write that follows
	ETag     string    `json:"etag,omitempty"`    // with its quotes
	Error    *Error    `json:"error,omitempty"`   // the key could not be read
}

// MultiGet asks for several keys.
type MultiGet struct {
	Keys []Key `json:"keys"`
}

// MultiGetResult has an entry for each key, in order.
type MultiGetResult struct {
	Entries []Entry `json:"entries"`
}

// The kinds of an Operation.
const (
	OpPut       = "put"
	OpDelete    = "delete"
	OpIncrement = "increment"
)

// Operation is a write.
type Operation struct {
	Op string `json:"op"`
	Key
	Value                // of a put
	By          *int64   `json:"by,omitempty"`            // of an increment
	TTL         *Seconds `json:"ttl,omitempty"`           // of a put; an increment keeps what there is
	Context     string   `json:"context,omitempty"`       // as the header
	IfMatch     string   `json:"if_match,omitempty"`      // as the header
	IfNoneMatch string   `json:"if_none_match,omitempty"` // as the header
}

// Batch is several writes.
type Batch struct {
	// Atomic: all or nothing.
	Atomic     bool        `json:"atomic,omitempty"`
	Operations []Operation `json:"operations"`
}

// OperationResult is what an operation did. What the client may not read is not there.
type OperationResult struct {
	ETag     string `json:"etag,omitempty"`
	Context  string `json:"context,omitempty"`  // covers what was written and what it replaced
	Siblings int    `json:"siblings,omitempty"` // values that the key has now
	Number   *int64 `json:"number,omitempty"`   // after an increment
	Error    *Error `json:"error,omitempty"`
}

// BatchResult has a result for each operation, in order.
type BatchResult struct {
	Results  []OperationResult `json:"results"`
	Failed   int               `json:"failed"`             // how many are errors
	Replayed bool              `json:"replayed,omitempty"` // a request of that id had been done before
}

// Increment adds to the number that is the value of a key.
type Increment struct {
	By int64 `json:"increment"`
}

// ScanLine is a line of a scan: a key, or the last line, which has Next or Error.
type ScanLine struct {
	Key
	Value
	Siblings int       `json:"siblings,omitempty"` // if there are more than one
	Expires  time.Time `json:"expires,omitzero"`
	TTL      Seconds   `json:"ttl,omitempty"`
	Next     *string   `json:"next,omitempty"` // the cursor to go on with, empty at the end
	Error    *Error    `json:"error,omitempty"`
}

// BucketConfig is how a bucket keeps its keys. When it is sent, what is not there is
// left as it is, or has its default in a new bucket.
type BucketConfig struct {
	Mode            *string `json:"mode,omitempty"`              // available; fixed
	LastWriterWins  *bool   `json:"last_writer_wins,omitempty"`  // fixed
	Durability      *string `json:"durability,omitempty"`        // sync, os, none
	WarnSiblings    *int    `json:"warn_siblings,omitempty"`     // -1: never
	MaxSiblings     *int    `json:"max_siblings,omitempty"`      // -1: no limit
	MaxSiblingBytes *int    `json:"max_sibling_bytes,omitempty"` // of two and more siblings together
	OnLimit         *string `json:"on_limit,omitempty"`          // reject, collapse, keep
	MaxValue        *int    `json:"max_value,omitempty"`         // bytes
}

// Bucket is a bucket.
type Bucket struct {
	Name string `json:"name"`
	BucketConfig
	// Keys and Bytes are there for those who may know. Exact is false while they are
	// counted again after an unclean end.
	Keys  *int64 `json:"keys,omitempty"`
	Bytes *int64 `json:"bytes,omitempty"`
	Exact *bool  `json:"exact,omitempty"`
}

// Buckets lists buckets by name.
type Buckets struct {
	Buckets []Bucket `json:"buckets"`
}

// Grant gives a role to a user.
type Grant struct {
	Role string `json:"role"`
	On   string `json:"on,omitempty"` // a scope that narrows it, like orders:*
}

// Token tells of a token, or is a new one.
type Token struct {
	ID          uint64    `json:"id,omitempty"`
	Label       string    `json:"label,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	// Token is the text of a new token. It is shown this once.
	Token string `json:"token,omitempty"`
}

// NewToken describes a token that is to be made.
type NewToken struct {
	Label   string    `json:"label"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// User is a user.
type User struct {
	Name      string    `json:"name"`
	Disabled  bool      `json:"disabled"`
	Expires   time.Time `json:"expires,omitzero"`
	Admin     bool      `json:"admin"`
	Passwords int       `json:"passwords"` // 0, 1, or 2 while the old one is still valid
	Grants    []Grant   `json:"grants"`
	Tokens    []Token   `json:"tokens"`
}

// Users lists users by name.
type Users struct {
	Users []User `json:"users"`
}

// UserChange creates or changes a user. What is not there is left as it is.
type UserChange struct {
	Password *string    `json:"password,omitempty"` // of a new user only
	Grants   *[]Grant   `json:"grants,omitempty"`   // all of them
	Disabled *bool      `json:"disabled,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"` // the zero time, 0001-01-01T00:00:00Z, for never
}

// PasswordChange sets a password.
type PasswordChange struct {
	Password string `json:"password"`
	// KeepOld leaves the password before valid beside it, until it is dropped.
	KeepOld bool `json:"keep_old,omitempty"`
}

// Role is a role.
type Role struct {
	Name    string   `json:"name"`
	Verbs   []string `json:"verbs"`
	Scopes  []string `json:"scopes"`
	Builtin bool     `json:"builtin,omitempty"`
}

// Roles lists roles by name, the built-in ones first.
type Roles struct {
	Roles []Role `json:"roles"`
}

// RoleChange makes or replaces a role.
type RoleChange struct {
	Verbs  []string `json:"verbs"`
	Scopes []string `json:"scopes"`
}

// WhoAmI says as whom a request was made.
type WhoAmI struct {
	User  string `json:"user"`
	Login bool   `json:"login"` // false: nobody has to log in
}

// Status is the state of a node.
type Status struct {
	Version  string    `json:"version"`
	Node     string    `json:"node"`
	Cluster  string    `json:"cluster"`
	Started  time.Time `json:"started"`
	Ready    bool      `json:"ready"`
	Reasons  []string  `json:"reasons,omitempty"`  // why it is not ready
	Warnings []string  `json:"warnings,omitempty"` // what an operator should know, such as --insecure
	// Metrics are numbers by name, the same as in /metrics.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Setting is a line of the configuration. A secret has no value here.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source,omitempty"` // default, file, environment, flag
	Secret bool   `json:"secret,omitempty"`
}

// Config is the configuration of a node.
type Config struct {
	Settings []Setting `json:"settings"`
}

// SlowRequest is a line of the slow log. It has no values, and the key only for those
// who may know it.
type SlowRequest struct {
	Time     time.Time `json:"time"`
	Took     Seconds   `json:"took"`
	Protocol string    `json:"protocol"` // resp, http
	Request  string    `json:"request"`  // the command, or method and route
	Bucket   string    `json:"bucket,omitempty"`
	*Key
	Keys  int    `json:"keys,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	User  string `json:"user,omitempty"`
	Addr  string `json:"addr,omitempty"`
}

// SlowLog is the slow log, the latest first.
type SlowLog struct {
	Requests []SlowRequest `json:"requests"`
}

// HotKey is a key that is used much.
type HotKey struct {
	Bucket string `json:"bucket"`
	Key
	Reads  int64 `json:"reads"`
	Writes int64 `json:"writes"`
}

// Top has the keys that are used most.
type Top struct {
	Seconds Seconds  `json:"seconds"` // over how long the counts are
	Keys    []HotKey `json:"keys"`
}

// CheckpointRequest names a checkpoint.
type CheckpointRequest struct {
	Name string `json:"name"`
}

// Checkpoint tells of a checkpoint that was made.
type Checkpoint struct {
	Name string `json:"name"`
	Path string `json:"path"` // on the node
}
