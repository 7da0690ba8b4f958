package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// fullEdit has every field.
func fullEdit() *Edit {
	return &Edit{
		Deleted: []DeletedFile{{0, 3}, {6, 1 << 40}},
		Added: []NewFile{
			{0, &FileMeta{
				Num: 20, File: 19, UID: math.MaxUint64, Size: 1 << 40, LiveSize: 77, Clipped: true,
				Smallest: []byte("a\x00"), Largest: []byte("b"), LargestExclusive: true,
				SmallestSeq: 9, LargestSeq: 9, GlobalSeq: 9, Entries: 1, Deletes: 2, RangeDels: 3, TTLs: 4,
				MinExpiry: -5, MaxExpiry: math.MaxInt64, RawBytes: 1 << 50,
			}},
			{6, &FileMeta{Num: 21, File: 21, Smallest: []byte{}, Largest: []byte{}, LargestExclusive: true, LargestSeq: base.SeqNumMax}},
		},
		MinLog: 17, NextFile: 22, LastSeq: 99,
		LogEnd: []LogEnd{{17, 1 << 33}, {18, 36}},
	}
}

func TestEditRoundTrip(t *testing.T) {
	for _, e := range []*Edit{{}, fullEdit(), {LastSeq: base.SeqNumMax}} {
		b := e.Encode(nil)
		got, err := DecodeEdit(b)
		must(t, err)
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("%+v\nwant\n%+v", got, e)
		}
		for n := range b {
			if got, err := DecodeEdit(b[:n]); err == nil && reflect.DeepEqual(got, e) {
				t.Fatalf("the first %d of %d bytes say the same", n, len(b))
			}
		}
	}
}

// The bytes of docs/manifest.md.
func TestEditFormat(t *testing.T) {
	e := &Edit{
		Deleted: []DeletedFile{{0, 5}},
		Added:   []NewFile{{1, table(7, "a", "c")}},
		MinLog:  6, NextFile: 8, LastSeq: 300,
		LogEnd: []LogEnd{{4, 1000}},
	}
	const want = "03020005" + // deleted: L0, table 5
		"0517" + "01" + // added, 23 bytes: to L1
		"0207" + "0407" + "06b735" + "08ef07" + "0f0161" + "110163" + "1401" + "1607" + "1a0a" +
		"0606" + "0808" + "0aac02" + "0d0304e807"
	if got := fmt.Sprintf("%x", e.Encode(nil)); got != want {
		t.Fatalf("the format has changed:\n%s\nwant\n%s", got, want)
	}
}

func TestUnknownFields(t *testing.T) {
	num := func(tag uint64) []byte { return binary.AppendUvarint(binary.AppendUvarint(nil, tag<<1), 5) }
	bytesField := func(tag uint64) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, tag<<1|1), 3), "abc"...)
	}
	inFile := func(field []byte) []byte {
		b := append([]byte{1}, table(7, "a", "c").encode(nil)...)
		return appendBytes(nil, tagAdded, append(b, field...))
	}
	for _, tag := range []uint64{firstOptional, 1000, 1 << 60} {
		for _, b := range [][]byte{num(tag), bytesField(tag), inFile(num(tag)), inFile(bytesField(tag))} {
			if _, err := DecodeEdit(b); err != nil {
				t.Errorf("optional field %d: %v", tag, err)
			}
		}
	}
	for _, tag := range []uint64{0, 21, firstOptional - 1} {
		for _, b := range [][]byte{num(tag), bytesField(tag), inFile(num(tag)), inFile(bytesField(tag))} {
			if _, err := DecodeEdit(b); !errors.Is(err, ErrNewerFormat) {
				t.Errorf("required field %d: %v", tag, err)
			}
		}
	}
	for _, b := range [][]byte{
		append(appendInt(nil, tagMinLog, 1), appendInt(nil, tagMinLog, 1)...), // twice
		{tagMinLog << 1, 0}, // zero
		inFile(appendInt(nil, fileNum, 7)),
		inFile(appendBytes(nil, fileSmallest, nil)),
		appendInt(nil, tagLastSeq, 1<<56),
		appendBytes(nil, tagDeleted, []byte{7, 1}),
		appendBytes(nil, tagDeleted, []byte{1, 1, 1}),
		appendBytes(nil, tagLogEnd, []byte{0, 1}),
		appendBytes(nil, tagAdded, []byte{1}),
		appendBytes(nil, tagBlob, []byte{1, 1, 9, 1}),       // a field less
		appendBytes(nil, tagBlob, []byte{1, 1, 9, 1, 9, 1}), // a field more
		appendBytes(nil, tagBlob, []byte{0, 1, 9, 1, 9}),    // no number
		appendBytes(nil, tagBlob, []byte{1, 1, 9, 1, 10}),   // values larger than the file
		inFile(appendBytes(nil, fileBlob, []byte{1, 1})),
		inFile(appendBytes(nil, fileBlob, []byte{1, 0, 1})),
		inFile(append(appendBytes(nil, fileBlob, []byte{2, 1, 1}), appendBytes(nil, fileBlob, []byte{1, 1, 1})...)), // descending
		{tagAdded<<1 | 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if _, err := DecodeEdit(b); err == nil || errors.Is(err, ErrNewerFormat) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func FuzzEditDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(fullEdit().Encode(nil))
	f.Add((&Edit{Added: []NewFile{{1, table(7, "a", "c")}}, LogEnd: []LogEnd{{4, 1000}}}).Encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEdit(b)
		if err != nil {
			return
		}
		again, err := DecodeEdit(e.Encode(nil))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v became %+v: %v", e, again, err)
		}
		// Whatever was decoded is either refused by the state or leads to a valid one.
		st := State{Version: &Version{}}
		if n, err := st.after(e); err == nil {
			must(t, n.Version.Check())
		}
	})
}
