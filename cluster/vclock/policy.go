package vclock

// Action is what happens when a write leaves more siblings than a Policy allows.
type Action uint8

// The actions. Merges never refuse: what was acknowledged elsewhere must get in, or
// replicas would not converge. Under Reject they keep all, with a warning.
const (
	Reject   Action = iota // refuse the write, with a *LimitError
	Collapse               // keep the latest sibling only, as last-writer-wins does
	Keep                   // keep all, with a warning
)

// Suggested limits.
const (
	DefaultWarnSiblings = 8
	DefaultMaxSiblings  = 64
)

// Policy is how a bucket treats concurrent writes. It must be the same on all replicas
// of a bucket. A nil Policy keeps all siblings, without limit or warning.
type Policy struct {
	// LastWriterWins keeps one sibling, the latest by timestamp, then actor, then counter.
	// Contexts do not matter then. Concurrent writes are lost.
	LastWriterWins bool
	WarnSiblings   int    // more than so many make a warning; 0 never
	MaxSiblings    int    // more than so many are acted upon; 0 means no limit
	MaxBytes       int    // and so are more bytes in two or more siblings; 0 means no limit
	OnLimit        Action // what to do then
}

// Outcome tells what Put, Merge or Apply did.
type Outcome struct {
	// Changed is false when the object is as it was, and need not be stored.
	Changed bool
	// Prev is, after Put and Apply, the highest counter of the writing actor that the
	// object covered before; that of the Put goes into the Delta.
	Prev uint64
	// Dropped is how many siblings fell to last-writer-wins or a limit without having
	// been replaced by anybody who had read them.
	Dropped int
	// Warn says that there are more siblings, or bytes in them, than the policy likes.
	Warn bool
}

func (p *Policy) lastWriterWins() bool { return p != nil && p.LastWriterWins }

func (p *Policy) tooMany(siblings int) bool {
	return p != nil && p.MaxSiblings > 0 && siblings > p.MaxSiblings
}

func (p *Policy) tooLarge(siblings, bytes int) bool {
	return p != nil && p.MaxBytes > 0 && siblings > 1 && bytes > p.MaxBytes
}

// enforce applies the limits to an object that has just changed.
func (p *Policy) enforce(o *Object, out *Outcome) {
	if p == nil || len(o.Siblings) < 2 {
		return
	}
	over := p.tooMany(len(o.Siblings)) || p.tooLarge(len(o.Siblings), o.valueBytes())
	if over && p.OnLimit == Collapse {
		out.Dropped += o.keepLatest(func(*Sibling) bool { return false })
		out.Changed = true
		return
	}
	out.Warn = over || p.WarnSiblings > 0 && len(o.Siblings) > p.WarnSiblings
}

// keepLatest drops all siblings, of which there is one at least, but the latest, and
// returns how many of them were not replaced. The vector must cover them all, then they
// do not come back.
//
// Replicas that collapse at different moments still agree in the end: the latest write
// that a replica knows of is always among its siblings, because what replaces a write
// has a higher timestamp.
func (o *Object) keepLatest(replaced func(*Sibling) bool) (dropped int) {
	best := 0
	for i := range o.Siblings {
		if o.Siblings[i].wins(&o.Siblings[best]) {
			best = i
		}
	}
	for i := range o.Siblings {
		if i != best && !replaced(&o.Siblings[i]) {
			dropped++
		}
	}
	o.Siblings[0] = o.Siblings[best]
	clear(o.Siblings[1:])
	o.Siblings = o.Siblings[:1]
	return dropped
}
