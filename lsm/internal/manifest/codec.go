package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// An edit is a sequence of fields, and so is a table within it. A field is a
// uvarint, tag<<1 | wire; then, for wire 0, a uvarint, and for wire 1, a length
// and so many bytes. Fields with the value zero are left out. A reader skips tags
// it does not know from firstOptional on, and refuses others: the edit would mean
// something else without them. The tags are on disk: never renumber them.
const (
	tagDeleted  = 1 // bytes: level, number
	tagAdded    = 2 // bytes: level, then the fields of the table
	tagMinLog   = 3
	tagNextFile = 4
	tagLastSeq  = 5
	tagLogEnd   = 6 // bytes: number, end
	tagBlob     = 7 // bytes: number, uid, size, values, bytes of values

	fileNum              = 1
	fileFile             = 2
	fileUID              = 3
	fileSize             = 4
	fileLiveSize         = 5
	fileClipped          = 6
	fileSmallest         = 7 // bytes
	fileLargest          = 8 // bytes
	fileLargestExclusive = 9
	fileSmallestSeq      = 10
	fileLargestSeq       = 11
	fileGlobalSeq        = 12
	fileEntries          = 13
	fileDeletes          = 14
	fileRangeDels        = 15
	fileTTLs             = 16
	fileMinExpiry        = 17 // zigzag
	fileMaxExpiry        = 18 // zigzag
	fileRawBytes         = 19
	fileBlob             = 20 // bytes: number, values, bytes of values

	firstOptional = 64

	wireInt   = 0
	wireBytes = 1
)

var (
	errShort  = errors.New("edit ends within a field")
	errDouble = errors.New("field is there twice, or zero")
)

func appendInt(b []byte, tag int, v uint64) []byte {
	if v == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(tag)<<1|wireInt)
	return binary.AppendUvarint(b, v)
}

func appendBytes(b []byte, tag int, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(tag)<<1|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendBool(b []byte, tag int, v bool) []byte {
	if v {
		return appendInt(b, tag, 1)
	}
	return b
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// Encode appends the encoding of e to dst.
func (e *Edit) Encode(dst []byte) []byte {
	var tmp []byte
	for _, d := range e.Deleted {
		tmp = binary.AppendUvarint(tmp[:0], uint64(d.Level))
		tmp = binary.AppendUvarint(tmp, uint64(d.Num))
		dst = appendBytes(dst, tagDeleted, tmp)
	}
	for _, m := range e.AddedBlobs {
		tmp = appendInts(tmp[:0], uint64(m.Num), m.UID, uint64(m.Size), m.Values, uint64(m.Bytes))
		dst = appendBytes(dst, tagBlob, tmp)
	}
	for _, a := range e.Added {
		tmp = binary.AppendUvarint(tmp[:0], uint64(a.Level))
		tmp = a.Meta.encode(tmp)
		dst = appendBytes(dst, tagAdded, tmp)
	}
	dst = appendInt(dst, tagMinLog, uint64(e.MinLog))
	dst = appendInt(dst, tagNextFile, uint64(e.NextFile))
	dst = appendInt(dst, tagLastSeq, uint64(e.LastSeq))
	for _, l := range e.LogEnd {
		tmp = binary.AppendUvarint(tmp[:0], uint64(l.Num))
		tmp = binary.AppendUvarint(tmp, uint64(l.End))
		dst = appendBytes(dst, tagLogEnd, tmp)
	}
	return dst
}

func (f *FileMeta) encode(b []byte) []byte {
	b = appendInt(b, fileNum, uint64(f.Num))
	b = appendInt(b, fileFile, uint64(f.File))
	b = appendInt(b, fileUID, f.UID)
	b = appendInt(b, fileSize, uint64(f.Size))
	b = appendInt(b, fileLiveSize, uint64(f.LiveSize))
	b = appendBool(b, fileClipped, f.Clipped)
	b = appendBytes(b, fileSmallest, f.Smallest)
	b = appendBytes(b, fileLargest, f.Largest)
	b = appendBool(b, fileLargestExclusive, f.LargestExclusive)
	b = appendInt(b, fileSmallestSeq, uint64(f.SmallestSeq))
	b = appendInt(b, fileLargestSeq, uint64(f.LargestSeq))
	b = appendInt(b, fileGlobalSeq, uint64(f.GlobalSeq))
	b = appendInt(b, fileEntries, f.Entries)
	b = appendInt(b, fileDeletes, f.Deletes)
	b = appendInt(b, fileRangeDels, f.RangeDels)
	b = appendInt(b, fileTTLs, f.TTLs)
	b = appendInt(b, fileMinExpiry, zigzag(f.MinExpiry))
	b = appendInt(b, fileMaxExpiry, zigzag(f.MaxExpiry))
	b = appendInt(b, fileRawBytes, f.RawBytes)
	var tmp []byte
	for _, u := range f.Blobs {
		tmp = appendInts(tmp[:0], uint64(u.File), u.Values, uint64(u.Bytes))
		b = appendBytes(b, fileBlob, tmp)
	}
	return b
}

func appendInts(b []byte, v ...uint64) []byte {
	for _, x := range v {
		b = binary.AppendUvarint(b, x)
	}
	return b
}

// ints takes apart what appendInts made of len(v) integers. Those from sizes on must fit
// an int64.
func ints(b []byte, sizes int, v ...*uint64) error {
	for i, p := range v {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return errShort
		}
		if i >= sizes && x > math.MaxInt64 {
			return fmt.Errorf("size %d", x)
		}
		*p, b = x, b[n:]
	}
	if len(b) > 0 {
		return errShort
	}
	return nil
}

func decodeBlob(b []byte) (*BlobMeta, error) {
	var num, size, bytes uint64
	m := &BlobMeta{}
	if err := ints(b, 2, &num, &m.UID, &size, &m.Values, &bytes); err != nil {
		return nil, err
	}
	m.Num, m.Size, m.Bytes = base.FileNum(num), int64(size), int64(bytes)
	return m, m.check()
}

func decodeUse(b []byte) (u BlobUse, err error) {
	var num, bytes uint64
	err = ints(b, 1, &num, &u.Values, &bytes)
	u.File, u.Bytes = base.FileNum(num), int64(bytes)
	return u, err
}

// field is one decoded field; which of v and b holds depends on the wire.
type field struct {
	tag  uint64
	wire uint64
	v    uint64
	b    []byte // aliases the input
}

// nextField splits the first field off b.
func nextField(b []byte) (f field, rest []byte, err error) {
	key, n := binary.Uvarint(b)
	if n <= 0 {
		return f, nil, errShort
	}
	f.tag, f.wire, b = key>>1, key&1, b[n:]
	if f.v, n = binary.Uvarint(b); n <= 0 {
		return f, nil, errShort
	}
	b = b[n:]
	if f.wire == wireBytes {
		if f.v > uint64(len(b)) {
			return f, nil, errShort
		}
		f.b, b = b[:f.v:f.v], b[f.v:]
	}
	return f, b, nil
}

// unknown judges a field that the decoder has no case for.
func (f *field) unknown(what string) error {
	if f.tag >= firstOptional {
		return nil
	}
	return fmt.Errorf("%w: field %d of %s (wire %d) is not known", ErrNewerFormat, f.tag, what, f.wire)
}

// key is tag<<1 | wire as a switch wants it.
func (f *field) key() uint64 { return f.tag<<1 | f.wire }

// once sets *p, and refuses a second time. Zero is never written.
func once[T ~uint64](p *T, v uint64) error {
	if *p != 0 || v == 0 {
		return errDouble
	}
	*p = T(v)
	return nil
}

func onceSize(p *int64, v uint64) error {
	if v > math.MaxInt64 {
		return fmt.Errorf("size %d", v)
	}
	if *p != 0 || v == 0 {
		return errDouble
	}
	*p = int64(v)
	return nil
}

func onceBool(p *bool, v uint64) error {
	if *p || v != 1 {
		return errDouble
	}
	*p = true
	return nil
}

func onceTime(p *int64, v uint64) error {
	if *p != 0 || v == 0 {
		return errDouble
	}
	*p = unzigzag(v)
	return nil
}

// DecodeEdit decodes what Encode made. It copies what it keeps.
func DecodeEdit(b []byte) (*Edit, error) {
	e := &Edit{}
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return nil, err
		}
		b = rest
		switch f.key() {
		case tagDeleted<<1 | wireBytes:
			var level, num uint64
			if level, num, err = twoInts(f.b); err == nil {
				e.Deleted = append(e.Deleted, DeletedFile{int(min(level, base.NumLevels)), base.FileNum(num)})
				err = checkLevel(level)
			}
		case tagAdded<<1 | wireBytes:
			var a NewFile
			if a, err = decodeAdded(f.b); err == nil {
				e.Added = append(e.Added, a)
			}
		case tagBlob<<1 | wireBytes:
			var m *BlobMeta
			if m, err = decodeBlob(f.b); err == nil {
				e.AddedBlobs = append(e.AddedBlobs, m)
			}
		case tagMinLog<<1 | wireInt:
			err = once(&e.MinLog, f.v)
		case tagNextFile<<1 | wireInt:
			err = once(&e.NextFile, f.v)
		case tagLastSeq<<1 | wireInt:
			if err = once(&e.LastSeq, f.v); err == nil && e.LastSeq > base.SeqNumMax {
				err = fmt.Errorf("sequence number %d", f.v)
			}
		case tagLogEnd<<1 | wireBytes:
			var num, end uint64
			if num, end, err = twoInts(f.b); err == nil {
				e.LogEnd = append(e.LogEnd, LogEnd{base.FileNum(num), int64(end)})
				if num == 0 || end > math.MaxInt64 {
					err = fmt.Errorf("log %d ends at %d", num, end)
				}
			}
		default:
			err = f.unknown("an edit")
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

func checkLevel(level uint64) error {
	if level >= base.NumLevels {
		return fmt.Errorf("level %d", level)
	}
	return nil
}

func twoInts(b []byte) (x, y uint64, err error) {
	err = ints(b, 2, &x, &y)
	return x, y, err
}

func decodeAdded(b []byte) (NewFile, error) {
	level, n := binary.Uvarint(b)
	if n <= 0 {
		return NewFile{}, errShort
	}
	if err := checkLevel(level); err != nil {
		return NewFile{}, err
	}
	f, err := decodeFile(b[n:])
	if err != nil {
		return NewFile{}, err
	}
	return NewFile{Level: int(level), Meta: f}, f.check()
}

func decodeFile(b []byte) (*FileMeta, error) {
	m := &FileMeta{}
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return nil, err
		}
		b = rest
		switch f.key() {
		case fileSmallest<<1 | wireBytes:
			err = onceKey(&m.Smallest, f.b)
		case fileLargest<<1 | wireBytes:
			err = onceKey(&m.Largest, f.b)
		case fileBlob<<1 | wireBytes:
			var u BlobUse
			u, err = decodeUse(f.b)
			m.Blobs = append(m.Blobs, u)
		default:
			err = m.setInt(&f)
		}
		if err != nil {
			return nil, fmt.Errorf("field %d of table %d: %w", f.tag, m.Num, err)
		}
	}
	if m.Smallest == nil || m.Largest == nil {
		return nil, fmt.Errorf("table %d has no bounds", m.Num)
	}
	return m, nil
}

func onceKey(p *[]byte, b []byte) error {
	if *p != nil {
		return errDouble
	}
	*p = append([]byte{}, b...) // never nil
	return nil
}

func (m *FileMeta) setInt(f *field) error {
	switch f.key() {
	case fileNum << 1:
		return once(&m.Num, f.v)
	case fileFile << 1:
		return once(&m.File, f.v)
	case fileUID << 1:
		return once(&m.UID, f.v)
	case fileSize << 1:
		return onceSize(&m.Size, f.v)
	case fileLiveSize << 1:
		return onceSize(&m.LiveSize, f.v)
	case fileClipped << 1:
		return onceBool(&m.Clipped, f.v)
	case fileLargestExclusive << 1:
		return onceBool(&m.LargestExclusive, f.v)
	case fileSmallestSeq << 1:
		return once(&m.SmallestSeq, f.v)
	case fileLargestSeq << 1:
		return once(&m.LargestSeq, f.v)
	case fileGlobalSeq << 1:
		return once(&m.GlobalSeq, f.v)
	case fileEntries << 1:
		return once(&m.Entries, f.v)
	case fileDeletes << 1:
		return once(&m.Deletes, f.v)
	case fileRangeDels << 1:
		return once(&m.RangeDels, f.v)
	case fileTTLs << 1:
		return once(&m.TTLs, f.v)
	case fileMinExpiry << 1:
		return onceTime(&m.MinExpiry, f.v)
	case fileMaxExpiry << 1:
		return onceTime(&m.MaxExpiry, f.v)
	case fileRawBytes << 1:
		return once(&m.RawBytes, f.v)
	}
	return f.unknown("a table")
}
