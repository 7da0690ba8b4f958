package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

// open opens a store of kind in dir, and closes it with the test.
func open(t *testing.T, kind engine.Kind, dir string, d engine.Durability) engine.Engine {
	t.Helper()
	e, err := kind.Open(engine.Config{Dir: dir, Memory: 16 << 20, Durability: d})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every engine does what the harness relies on.
func TestEngines(t *testing.T) {
	for _, kind := range engine.Kinds() {
		if kind.Forgetful {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			t.Run("operations", func(t *testing.T) { testOperations(t, kind) })
			t.Run("iterators", func(t *testing.T) { testIterators(t, kind) })
			t.Run("reopen", func(t *testing.T) { testReopen(t, kind) })
			t.Run("random", func(t *testing.T) { testRandom(t, kind) })
		})
	}
}

func testOperations(t *testing.T, kind engine.Kind) {
	e := open(t, kind, t.TempDir(), engine.OS)
	defer e.Close()
	key, value := []byte("key"), []byte("value")
	if v, err := e.AppendGet([]byte("x"), key); err != engine.ErrNotFound || string(v) != "x" {
		t.Fatalf("absent: %q, %v; the error must be ErrNotFound itself", v, err)
	}
	must(t, e.Put(key, value))
	value[0] = 'X' // arguments are not kept
	if v, err := e.AppendGet([]byte("x"), key); err != nil || string(v) != "xvalue" {
		t.Fatalf("%q, %v", v, err)
	}
	must(t, e.Put(key, nil))
	if v, err := e.AppendGet(nil, key); err != nil || len(v) != 0 {
		t.Fatalf("empty value: %q, %v", v, err)
	}
	must(t, e.Delete(key))
	must(t, e.Delete([]byte("never there")))
	if _, err := e.AppendGet(nil, key); err != engine.ErrNotFound {
		t.Fatal(err)
	}
	b := e.NewBatch()
	for round := range 2 { // a batch is used many times
		for i := range 10 {
			must(t, b.Put(fmt.Appendf(nil, "b%d%d", round, i), []byte("v")))
		}
		must(t, b.Delete(fmt.Appendf(nil, "b%d5", round)))
		must(t, b.Commit())
	}
	must(t, b.Close())
	if n := count(t, e, nil, nil); n != 18 {
		t.Fatalf("%d keys after the batches, want 18", n)
	}
	must(t, e.Sync())
}

func count(t *testing.T, e engine.Engine, lower, upper []byte) (n int) {
	t.Helper()
	it, err := e.NewIter(lower, upper)
	must(t, err)
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	must(t, it.Err())
	must(t, it.Close())
	return n
}

func testIterators(t *testing.T, kind engine.Kind) {
	e := open(t, kind, t.TempDir(), engine.OS)
	defer e.Close()
	for i := range 100 {
		must(t, e.Put(fmt.Appendf(nil, "%03d", i*2), fmt.Appendf(nil, "v%d", i*2)))
	}
	it, err := e.NewIter(nil, nil)
	must(t, err)
	must(t, e.Put([]byte("001"), nil)) // an iterator shows one moment
	at := func(what string, ok bool, want string) {
		t.Helper()
		if got := ""; ok {
			got = string(it.Key())
			if got != want || string(it.Value()) == "" {
				t.Errorf("%s: at %q, want %q", what, got, want)
			}
		} else if want != "" {
			t.Errorf("%s: nothing, want %q", what, want)
		}
	}
	at("First", it.First(), "000")
	at("Next", it.Next(), "002")
	at("Prev", it.Prev(), "000")
	at("Prev at the beginning", it.Prev(), "")
	at("Last", it.Last(), "198")
	at("Next at the end", it.Next(), "")
	at("SeekGE between", it.SeekGE([]byte("051")), "052")
	at("SeekGE on a key", it.SeekGE([]byte("052")), "052")
	at("Prev after SeekGE", it.Prev(), "050")
	at("SeekGE behind", it.SeekGE([]byte("2")), "")
	at("SeekLT on a key", it.SeekLT([]byte("052")), "050")
	at("SeekLT behind", it.SeekLT([]byte("9")), "198")
	at("SeekLT before", it.SeekLT([]byte("000")), "")
	at("Next after SeekLT", it.SeekLT([]byte("100")) && it.Next(), "100")
	at("Prev after that", it.Prev(), "098")
	at("and Next again", it.Next(), "100")
	must(t, it.Close())

	lower, upper := []byte("010"), []byte("020")
	it, err = e.NewIter(lower, upper)
	must(t, err)
	lower[0], upper[0] = 'X', 'X' // bounds are not kept either
	at("First within bounds", it.First(), "010")
	at("Prev at the lower bound", it.Prev(), "")
	at("Last within bounds", it.Last(), "018")
	at("Next at the upper bound", it.Next(), "")
	at("SeekGE below the bounds", it.SeekGE([]byte("004")), "010")
	at("SeekGE above the bounds", it.SeekGE([]byte("020")), "")
	at("SeekLT above the bounds", it.SeekLT([]byte("030")), "018")
	at("SeekLT the lower bound", it.SeekLT([]byte("010")), "")
	must(t, it.Close())
	if n := count(t, e, []byte("010"), []byte("020")); n != 5 {
		t.Errorf("%d keys in [010, 020), want 5", n)
	}
}

// What was acknowledged is there after Close, whatever the durability.
func testReopen(t *testing.T, kind engine.Kind) {
	dir := filepath.Join(t.TempDir(), "some", "new") // neither is there
	for i, d := range []engine.Durability{engine.Sync, engine.OS, engine.None} {
		e := open(t, kind, dir, d)
		must(t, e.Put(fmt.Appendf(nil, "k%d", i), []byte("v")))
		must(t, e.Close())
		e = open(t, kind, dir, d)
		if n := count(t, e, nil, nil); n != i+1 {
			t.Errorf("%v: %d keys after reopening, want %d", d, n, i+1)
		}
		must(t, e.Close())
	}
	if found, err := fs.Glob(os.DirFS(dir), kind.Marker); err != nil || len(found) == 0 {
		t.Errorf("no file is named like the marker %q, so that no store could be emptied: %v", kind.Marker, err)
	}
}

// Random operations, settled now and then, against a map; and counts that are told grow.
func testRandom(t *testing.T, kind engine.Kind) {
	e := open(t, kind, t.TempDir(), engine.None)
	defer e.Close()
	before := e.Stats()
	r, model := rand.New(rand.NewPCG(1, 2)), make(map[string][]byte)
	for i := range 20_000 {
		key := fmt.Sprintf("key%05d", r.IntN(3000))
		switch r.IntN(4) {
		case 0:
			must(t, e.Delete([]byte(key)))
			delete(model, key)
		case 1:
			v, err := e.AppendGet(nil, []byte(key))
			want, ok := model[key]
			if ok != (err == nil) || !bytes.Equal(v, want) {
				t.Fatalf("operation %d: %s: %d bytes, %v; want %d", i, key, len(v), err, len(want))
			}
		default:
			v := bytes.Repeat([]byte(key), r.IntN(50))
			must(t, e.Put([]byte(key), v))
			model[key] = v
		}
		if i%7000 == 6999 {
			_, err := e.Settle(context.Background())
			must(t, err)
		}
	}
	if n := count(t, e, nil, nil); n != len(model) {
		t.Errorf("%d keys, want %d", n, len(model))
	}
	s := e.Stats().Since(before)
	if in := s.BytesIn; in != nil && *in < 1_000_000 {
		t.Errorf("%d bytes in", *in)
	}
	if w, ok := s.Written(); ok && w < 1_000_000 {
		t.Errorf("%d bytes written", w)
	}
}
