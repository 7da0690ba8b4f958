package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file writes a trace and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll returns the requests as words: "r key", "w key size", "d key", "? key size".
func readAll(path string, m Mapping, l Limits) (ops []string, err error) {
	r, err := Open(path, m, l)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		op, err := r.Next()
		if err == io.EOF {
			return ops, nil
		}
		if err != nil {
			return ops, err
		}
		word := string("rwd?"[op.Action]) + " " + string(op.Key)
		if op.Action == Write || op.Action == Reference {
			word += fmt.Sprint(" ", op.Size)
		}
		ops = append(ops, word)
	}
}

func TestCSVMapping(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		m       Mapping
		want    []string
	}{
		"cloudphysics": {"version,time,op,size,lbn\n1,5633898,2a,512,42932745\n1,5633899,28,1024,7\n1,5633899,88,1024,8\n1,5633899,8A,6656,9\n", Mapping{},
			[]string{"w 42932745 512", "r 7", "r 8", "w 9 6656"}},
		"words":                 {"Key,Operation,Bytes\na,GET,\nb,Set,3\nc,del,x\n", Mapping{}, []string{"r a", "w b 3", "d c"}},
		"tabs":                  {"op\tkey\tsize\nw\ta b\t3\n", Mapping{}, []string{"w a b 3"}},
		"quotes":                {"op,key,size\nw,\"a,b\",3\n", Mapping{}, []string{"w a,b 3"}},
		"other names":           {"what;who;long\nP;a;3\nG;a;0\nX;a;0\n", Mapping{Key: "who", Op: "what", Size: "LONG", Reads: []string{"g"}, Writes: []string{"p"}, Skips: []string{"x"}}, []string{"w a 3", "r a"}},
		"by number":             {"w,a,3\nr,a,3\n", Mapping{Key: "2", Op: "1", Size: "3"}, []string{"w a 3", "r a"}},
		"numbers over a header": {"x,y,z\nw,a,3\n", Mapping{Key: "2", Op: "1", Size: "3"}, []string{"w a 3"}},
		"no size":               {"op,key\nw,a\nr,a\n", Mapping{DefaultSize: 77}, []string{"w a 77", "r a"}},
		"no op":                 {"key,size\na,5\na,5\n", Mapping{}, []string{"? a 5", "? a 5"}},
		"size ignored":          {"op,key,size\nw,a,zzz\n", Mapping{Size: "-", DefaultSize: 9}, []string{"w a 9"}},
		"empty key":             {"op,key,size\nw,,1\n", Mapping{}, []string{"w  1"}},
		"0x":                    {"op,key,size\n0x2A,k,1\n", Mapping{}, []string{"w k 1"}},
		"redefined":             {"op,key,size\nread,k,1\n", Mapping{Writes: []string{"read"}}, []string{"w k 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(file(t, "t.csv", c.content), c.m, Limits{})
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestErrorsSayWhereAndWhatNext(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		m             Mapping
		l             Limits
		want          []string
	}{
		"empty":          {"t.csv", "", Mapping{}, Limits{}, []string{"t.csv", "empty"}},
		"no key":         {"t.csv", "a,b\n1,2\n", Mapping{}, Limits{}, []string{"t.csv:1", "no column has the key", "lbn"}},
		"no such column": {"t.csv", "key,op\n1,r\n", Mapping{Size: "weight"}, Limits{}, []string{`no column "weight"`, "key,op"}},
		"no such number": {"t.csv", "key,op\n1,r\n", Mapping{Key: "3"}, Limits{}, []string{"no column 3", "has 2"}},
		"unknown op":     {"t.csv", "key,op\n1,r\n2,zap\n", Mapping{}, Limits{}, []string{"t.csv:3", `"zap"`}},
		"bad size":       {"t.csv", "key,op,size\n1,r,x\n2,w,1.5\n", Mapping{}, Limits{}, []string{"t.csv:3", `"1.5"`}},
		"negative size":  {"t.csv", "key,op,size\n2,w,-1\n", Mapping{}, Limits{}, []string{"t.csv:2", `"-1"`}},
		"large value":    {"t.csv", "key,op,size\n1,w,100\n2,w,101\n", Mapping{}, Limits{Value: 100}, []string{"t.csv:3", "101 bytes", "limit of 100"}},
		"large key":      {"t.csv", "key,op,size\nabcd,r,1\n", Mapping{}, Limits{Key: 3}, []string{"t.csv:2", "4 bytes", "limit of 3"}},
		"short line":     {"t.csv", "key,op,size\na,w,1\nb\n", Mapping{}, Limits{}, []string{"t.csv:3", "1 columns", "column 3"}},
		"quote":          {"t.csv", "key,op,size\n\"a,w,1\n", Mapping{}, Limits{}, []string{"t.csv", "line 2"}},
		"twice":          {"t.csv", "key,op,size\n", Mapping{Reads: []string{"x"}, Writes: []string{"X"}}, Limits{}, []string{"named twice"}},
		"no gzip":        {"t.csv.gz", "key,op,size\n", Mapping{}, Limits{}, []string{"t.csv.gz", "gzip"}},
		"cut record":     {"t.oracleGeneral", strings.Repeat("x", 30), Mapping{}, Limits{}, []string{"record 2", "6 of 24"}},
		"oracle limit":   {"t.oracleGeneral.bin", strings.Repeat("\x01", 24), Mapping{}, Limits{Value: 5}, []string{"record 1", "limit of 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(file(t, c.file, c.content), c.m, c.l)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.csv"), Mapping{}, Limits{}); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(t.TempDir(), Mapping{}, Limits{}); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
}

func TestGzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("op,key,size\nw,a,3\n"))
	z.Close()
	got, err := readAll(file(t, "t.csv.gz", b.String()), Mapping{}, Limits{})
	if err != nil || !slices.Equal(got, []string{"w a 3"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOracleGeneral(t *testing.T) {
	var b []byte
	for _, rec := range [][2]uint64{{1 << 40, 100}, {7, 0}, {1 << 40, 100}} {
		b = binary.LittleEndian.AppendUint32(b, 123) // time
		b = binary.LittleEndian.AppendUint64(b, rec[0])
		b = binary.LittleEndian.AppendUint32(b, uint32(rec[1]))
		b = binary.LittleEndian.AppendUint64(b, 99) // next access
	}
	got, err := readAll(file(t, "t.oracleGeneral", string(b)), Mapping{}, Limits{})
	if want := []string{"? 1099511627776 100", "? 7 0", "? 1099511627776 100"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFractionReachesOne(t *testing.T) {
	r, err := Open(file(t, "t.csv", "op,key,size\nw,a,3\n"), Mapping{}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if r.Fraction() != 1 {
		t.Errorf("%v at the end", r.Fraction())
	}
}

// Whatever stands in a file, reading it ends with io.EOF or an error, and what it
// returns is within the limits.
func FuzzReader(f *testing.F) {
	f.Add([]byte("version,time,op,size,lbn\n1,5633898,2a,512,42932745\n"), false)
	f.Add([]byte("op\tkey\tsize\nw\t\"a\"\t3\nr\ta\t\n"), false)
	f.Add([]byte("key\n\n\na\n"), false)
	f.Add(bytes.Repeat([]byte{1}, 50), true)
	f.Fuzz(func(t *testing.T, data []byte, oracle bool) {
		s := &source{Reader: bytes.NewReader(data), name: "t"}
		l := Limits{Key: 10, Value: 1000}
		var r Reader = newOracle(s, l)
		if !oracle {
			c, err := newCSV(s, Mapping{}, l)
			if err != nil {
				return
			}
			r = c
		}
		for range len(data) + 1 {
			op, err := r.Next()
			if err != nil {
				return
			}
			if int64(len(op.Key)) > l.Key || op.Size > l.Value || op.Size < 0 {
				t.Fatalf("beyond the limits: %+v", op)
			}
		}
		t.Fatal("more requests than bytes")
	})
}
