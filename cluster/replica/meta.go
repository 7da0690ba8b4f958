package replica

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// The records of the meta partition. doc.go has their formats.
var (
	metaIdentity = metaKey("identity")
	metaSession  = metaKey("session")
	metaBuckets  = metaKey("buckets")
	metaCounts   = metaKey("counts")
	metaCopied   = metaKey("copied")
)

func metaKey(name string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, metaPartition), name...)
}

const formatVersion = 1

// checkVersion says whether a later program has written b. It is no damage, which
// somebody would try to repair.
func checkVersion(b []byte) error {
	if len(b) > 0 && b[0] > formatVersion {
		return fmt.Errorf("%w: its format is version %d, this program reads up to %d", ErrFormat, b[0], formatVersion)
	}
	return nil
}

// identity is what a store is for good.
type identity struct {
	cluster, node ID
	hash          HashKey
	partitions    int
}

const identityLen = 1 + 16 + 16 + 16 + 4

func (i *identity) append(b []byte) []byte {
	b = append(b, formatVersion)
	b = append(b, i.cluster[:]...)
	b = append(b, i.node[:]...)
	b = append(b, i.hash[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(i.partitions))
}

func decodeIdentity(b []byte) (i identity, err error) {
	if err := checkVersion(b); err != nil {
		return i, err
	}
	if len(b) != identityLen || b[0] != formatVersion {
		return i, fmt.Errorf("%w: an identity of %d bytes", ErrCorruption, len(b))
	}
	copy(i.cluster[:], b[1:])
	copy(i.node[:], b[17:])
	copy(i.hash[:], b[33:])
	n := binary.BigEndian.Uint32(b[49:])
	if n == 0 || n > MaxPartitions || n&(n-1) != 0 {
		return i, fmt.Errorf("%w: an identity with %d partitions", ErrCorruption, n)
	}
	i.partitions = int(n)
	return i, nil
}

// session is what must be durable before it is used.
type session struct {
	shared bool // others may hold what this store wrote
	dots   vclock.Lease
	clock  hlc.Timestamp
}

const sessionLen = 1 + 1 + 25 + 8

func (s *session) append(b []byte) []byte {
	b = append(b, formatVersion, bit(s.shared))
	b = s.dots.AppendTo(b)
	return binary.BigEndian.AppendUint64(b, uint64(s.clock))
}

func decodeSession(b []byte) (s session, err error) {
	if err := checkVersion(b); err != nil {
		return s, err
	}
	if len(b) != sessionLen || b[0] != formatVersion || b[1] > 1 {
		return s, fmt.Errorf("%w: a session of %d bytes", ErrCorruption, len(b))
	}
	s.shared = b[1] == 1
	if s.dots, err = vclock.DecodeLease(b[2 : sessionLen-8]); err != nil {
		return session{}, malformed(err)
	}
	s.clock = hlc.Timestamp(binary.BigEndian.Uint64(b[sessionLen-8:]))
	return s, nil
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

const (
	firstID  = 2 // bucket ids are even
	maxDrops = 4096
)

// catalog says which buckets there are.
type catalog struct {
	nextID  uint32         // never given out so far
	buckets []catalogEntry // ascending by name
	drops   []uint32       // ids whose records are to be deleted, ascending
}

type catalogEntry struct {
	name string
	id   uint32
	cfg  BucketConfig // normal
}

func (c *catalog) append(b []byte) []byte {
	b = append(b, formatVersion)
	b = binary.AppendUvarint(b, uint64(c.nextID))
	b = binary.AppendUvarint(b, uint64(len(c.buckets)))
	for i := range c.buckets {
		e := &c.buckets[i]
		b = binary.AppendUvarint(b, uint64(len(e.name)))
		b = append(b, e.name...)
		b = binary.AppendUvarint(b, uint64(e.id))
		b = append(b, byte(e.cfg.Mode), bit(e.cfg.LastWriterWins), byte(e.cfg.Durability), byte(e.cfg.OnLimit))
		b = binary.AppendVarint(b, int64(e.cfg.WarnSiblings))
		b = binary.AppendVarint(b, int64(e.cfg.MaxSiblings))
		b = binary.AppendUvarint(b, uint64(e.cfg.MaxSiblingBytes))
		b = binary.AppendUvarint(b, uint64(e.cfg.MaxValue))
	}
	b = binary.AppendUvarint(b, uint64(len(c.drops)))
	for _, id := range c.drops {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

func decodeCatalog(b []byte) (*catalog, error) {
	if err := checkVersion(b); err != nil {
		return nil, err
	}
	d := decoder{b: b}
	if v := d.byte(); v != formatVersion && !d.bad {
		return nil, fmt.Errorf("%w: a list of buckets of version %d", ErrCorruption, v)
	}
	c := &catalog{nextID: uint32(d.uvarint(1<<32 - 1))}
	for range d.uvarint(MaxBuckets) {
		e := catalogEntry{name: string(d.take(d.uvarint(MaxBucketName)))}
		e.id = uint32(d.uvarint(1<<32 - 1))
		e.cfg.Mode = Mode(d.byte())
		lww := d.byte()
		e.cfg.LastWriterWins = lww == 1
		e.cfg.Durability = lsm.Durability(d.byte())
		e.cfg.OnLimit = vclock.Action(d.byte())
		e.cfg.WarnSiblings, e.cfg.MaxSiblings = d.varint(), d.varint()
		e.cfg.MaxSiblingBytes = int(d.uvarint(1<<31 - 1))
		e.cfg.MaxValue = int(d.uvarint(MaxMaxValue))
		if d.bad {
			break
		}
		cfg, err := e.cfg.normal()
		if err != nil || cfg != e.cfg || lww > 1 || checkName(e.name) != nil || !c.validID(e.id) ||
			len(c.buckets) > 0 && c.buckets[len(c.buckets)-1].name >= e.name {
			return nil, fmt.Errorf("%w: bucket %q, number %d", ErrCorruption, e.name, e.id)
		}
		c.buckets = append(c.buckets, e)
	}
	for range d.uvarint(maxDrops) {
		id := uint32(d.uvarint(1<<32 - 1))
		if d.bad {
			break
		}
		if !c.validID(id) || len(c.drops) > 0 && c.drops[len(c.drops)-1] >= id {
			return nil, fmt.Errorf("%w: dropped bucket %d", ErrCorruption, id)
		}
		c.drops = append(c.drops, id)
	}
	if d.bad || len(d.b) > 0 || c.nextID < firstID || c.nextID&1 == 1 {
		return nil, fmt.Errorf("%w: a list of buckets of %d bytes", ErrCorruption, len(b))
	}
	ids := append([]uint32(nil), c.drops...)
	for i := range c.buckets {
		ids = append(ids, c.buckets[i].id)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) < len(c.drops)+len(c.buckets) {
		return nil, fmt.Errorf("%w: a bucket number twice", ErrCorruption)
	}
	return c, nil
}

func (c *catalog) validID(id uint32) bool { return id >= firstID && id&1 == 0 && id < c.nextID }

// find returns the index of name, or where it would be.
func (c *catalog) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c.buckets, name, func(e catalogEntry, name string) int {
		switch {
		case e.name < name:
			return -1
		case e.name > name:
			return 1
		}
		return 0
	})
}

func (c *catalog) clone() *catalog {
	return &catalog{nextID: c.nextID, buckets: slices.Clone(c.buckets), drops: slices.Clone(c.drops)}
}

// take gives out an id.
func (c *catalog) take() (uint32, error) {
	id := c.nextID
	if id >= 1<<32-2 {
		return 0, fmt.Errorf("%w: bucket numbers are used up", ErrInvalid)
	}
	c.nextID += 2
	return id, nil
}

// drop puts an id on the list of what is to be deleted.
func (c *catalog) drop(id uint32) error {
	if len(c.drops) >= maxDrops {
		return ErrBusy
	}
	i, _ := slices.BinarySearch(c.drops, id)
	c.drops = slices.Insert(c.drops, i, id)
	return nil
}

// count is how much there is in a bucket.
type count struct {
	id uint32
	tally
}

// counts are those of all buckets.
type counts struct {
	clean bool    // the store was closed in order right after
	exact bool    // and the counts are certain
	list  []count // ascending by id
}

func (c *counts) append(b []byte) []byte {
	b = append(b, formatVersion, bit(c.clean)|bit(c.exact)<<1)
	b = binary.AppendUvarint(b, uint64(len(c.list)))
	for _, n := range c.list {
		b = binary.AppendUvarint(b, uint64(n.id))
		b = binary.AppendUvarint(b, uint64(max(n.keys, 0)))
		b = binary.AppendUvarint(b, uint64(max(n.bytes, 0)))
		b = binary.AppendUvarint(b, uint64(max(n.expiring, 0)))
	}
	return b
}

func decodeCounts(b []byte) (c counts, err error) {
	d := decoder{b: b}
	version, flags := d.byte(), d.byte()
	c.clean, c.exact = flags&1 != 0, flags&2 != 0
	for range d.uvarint(MaxBuckets) {
		n := count{id: uint32(d.uvarint(1<<32 - 1))}
		n.keys, n.bytes = int64(d.uvarint(1<<63-1)), int64(d.uvarint(1<<63-1))
		n.expiring = int64(d.uvarint(1<<63 - 1))
		if d.bad {
			break
		}
		if len(c.list) > 0 && c.list[len(c.list)-1].id >= n.id {
			d.bad = true
			break
		}
		c.list = append(c.list, n)
	}
	if d.bad || len(d.b) > 0 || version != formatVersion || flags > 3 || c.exact && !c.clean {
		return counts{}, fmt.Errorf("%w: counts of %d bytes", ErrCorruption, len(b))
	}
	return c, nil
}

// of returns the count of id.
func (c *counts) of(id uint32) tally {
	for _, n := range c.list {
		if n.id == id {
			return n.tally
		}
	}
	return tally{}
}

// decoder takes numbers off bytes; after the first that is not there, bad is set and
// all are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uvarint takes a number of at most limit.
func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit || n > 1 && d.b[n-1] == 0 {
		d.bad = true
	}
	if d.bad {
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int {
	v, n := binary.Varint(d.b)
	if n <= 0 || int64(int32(v)) != v || n > 1 && d.b[n-1] == 0 {
		d.bad = true
	}
	if d.bad {
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}
