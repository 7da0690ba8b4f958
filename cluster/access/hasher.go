package access

import (
	"context"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// Lengths of a password in bytes. Longer ones are refused before anything is computed.
const (
	MinPassword = 8
	MaxPassword = 512
)

// HasherOptions configures a Hasher. The zero value of every field is a good default.
type HasherOptions struct {
	// Params are the costs of new hashes. Zero means DefaultParams.
	Params Params
	// Memory is how many bytes all runs of argon2id together may work on at a time. 0
	// means 64 MiB. A run that needs more has it when no other is under way: at most 64
	// MiB, what the most expensive hash needs.
	//
	// The garbage collector frees the memory of a run some time after its end: count on
	// twice as much.
	Memory int64
	// Parallel is how many runs there may be at a time; more than there are cores only
	// makes each of them slower. 0 means 2.
	Parallel int
	// Waiting is how many may wait for their run; the next one is ErrBusy at once. 0
	// means 1024: with 30 ms a run and 2 at a time, the last of them waits for 15 s.
	Waiting int
}

// Hasher runs argon2id within a budget of memory. A storm of logins makes a queue, whose
// length is bounded, and not more memory. Safe for concurrent use.
type Hasher struct {
	params Params
	memory int64
	budget budget
	run    func(password, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte
}

// NewHasher returns a Hasher. The error is ErrInvalid.
func NewHasher(o HasherOptions) (*Hasher, error) {
	if o.Params == (Params{}) {
		o.Params = DefaultParams()
	}
	if err := o.Params.Validate(); err != nil {
		return nil, err
	}
	if o.Memory < 0 || o.Parallel < 0 || o.Waiting < 0 {
		return nil, invalid("a hasher with %d bytes, %d places and %d waiting", o.Memory, o.Parallel, o.Waiting)
	}
	if o.Parallel == 0 {
		o.Parallel = 2
	}
	if o.Waiting == 0 {
		o.Waiting = 1024
	}
	h := &Hasher{params: o.Params, run: argon2.IDKey}
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	h.memory = o.Memory
	h.budget.memory, h.budget.places, h.budget.most = o.Memory, o.Parallel, o.Waiting
	return h, nil
}

// Hash returns the hash of a password that a person has chosen or NewPassword has made.
// The salt is 16 random bytes, fresh for each call. The errors are ErrInvalid, for a
// password or salt of an impossible length or a password that looks like a token,
// ErrBusy, and that of ctx.
func (h *Hasher) Hash(ctx context.Context, password Secret, salt []byte) (Hash, error) {
	if len(salt) != saltLen {
		return Hash{}, invalid("a salt of %d bytes, %d are needed", len(salt), saltLen)
	}
	return h.hash(ctx, password, newHash(h.params, salt, make([]byte, sumLen)))
}

// HashLike returns the hash of another password for the user of old, to be valid beside
// old while clients change over. It shares salt and costs with old: one run checks both,
// so that a user who has two does not answer more slowly than others. Errors as for
// Hash.
func (h *Hasher) HashLike(ctx context.Context, password Secret, old Hash) (Hash, error) {
	if old.IsZero() {
		return Hash{}, invalid("no old hash")
	}
	return h.hash(ctx, password, old)
}

func (h *Hasher) hash(ctx context.Context, password Secret, like Hash) (Hash, error) {
	text := password.Reveal()
	if len(text) < MinPassword || len(text) > MaxPassword {
		return Hash{}, invalid("a password of %d bytes, %d to %d are possible", len(text), MinPassword, MaxPassword)
	}
	if _, ok := sumToken(text); ok {
		return Hash{}, invalid("a generated token cannot be a password")
	}
	var made Hash
	err := h.compute(ctx, text, like, nil, func(sum []byte) { made = newHash(like.d.params, like.d.salt, sum) })
	return made, err
}

// compute runs argon2id as base was made, and then calls done with the result, before it
// gives its place to the next one. After it has waited for the place, and before it
// works, it asks again, if that is not nil, whether it still should.
func (h *Hasher) compute(ctx context.Context, text string, base Hash, again func() error, done func(sum []byte)) error {
	p := base.d.params
	bytes := min(p.bytes(), h.memory)
	if err := h.budget.acquire(ctx, bytes); err != nil {
		return err
	}
	defer h.budget.release(bytes)
	if again != nil {
		if err := again(); err != nil {
			return err
		}
	}
	done(h.run([]byte(text), base.d.salt, p.Passes, p.Memory, p.Lanes, uint32(len(base.d.sum))))
	return nil
}

// outdated reports whether a new hash of the same password would be stronger.
func (h *Hasher) outdated(old Hash) bool {
	p := old.Params()
	return uint64(p.Memory)*uint64(p.Passes) < uint64(h.params.Memory)*uint64(h.params.Passes)
}

// equal compares in constant time. Hashes of one base have one length.
func (h Hash) equal(sum []byte) bool { return subtle.ConstantTimeCompare(h.d.sum, sum) == 1 }
