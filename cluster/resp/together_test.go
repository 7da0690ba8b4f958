package resp

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// purse counts what is taken and not given back.
type purse struct{ taken, most atomic.Int64 }

func (p *purse) Take(n int) bool {
	now := p.taken.Add(int64(n))
	for most := p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); most = p.most.Load() {
	}
	return true
}
func (p *purse) Give(n int) { p.taken.Add(int64(-n)) }

// atOnce runs pipelines, each on a session of its own, such that all are ready at the
// same time, and returns the replies of each.
func atOnce(t *testing.T, store *memstore.Store, o exec.Options, pipelines [][]string, ended int) []string {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // who is started runs when the others wait
	table := command.New()
	x := exec.New(table, store, o)
	out := make([]bytes.Buffer, len(pipelines))
	var wg sync.WaitGroup
	for i, lines := range pipelines {
		wg.Go(func() {
			w := wire.NewWriter(&out[i])
			s := x.NewSession(w, nil)
			s.Ended = new(atomic.Bool)
			s.Ended.Store(i == ended)
			s.Now = int64(1000 + i)
			for _, l := range lines {
				var args [][]byte
				for _, f := range strings.Fields(l) {
					args = append(args, []byte(f))
				}
				c, err := table.Resolve(args)
				if err == nil {
					err = s.Admit(c, args)
				}
				if err != nil {
					t.Error(err)
					return
				}
				s.Run(c, args)
			}
			s.Commit()
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var replies []string
	for i := range out {
		replies = append(replies, strings.ReplaceAll(strings.TrimSuffix(out[i].String(), "\r\n"), "\r\n", " "))
	}
	return replies
}

func crowd(n int, lines ...string) (all [][]string) {
	for i := range n {
		var own []string
		for _, l := range lines {
			own = append(own, strings.ReplaceAll(l, "#", fmt.Sprint(i)))
		}
		all = append(all, own)
	}
	return all
}

// Connections that are ready at the same time share commits, as far as a group may be
// long, and each has its own replies.
func TestConnectionsShareCommits(t *testing.T) {
	for _, again := range []bool{false, true} {
		store := memstore.New(16)
		store.Again = again
		replies := atOnce(t, store, exec.Options{GroupCommands: 30}, crowd(20, "INCR n", "SET k# v#", "GET k#"), -1)
		var counts []string
		for i, r := range replies {
			count, rest, _ := strings.Cut(r, " ")
			counts = append(counts, count)
			v := fmt.Sprint("v", i)
			if want := fmt.Sprintf("+OK $%d %s", len(v), v); rest != want {
				t.Errorf("session %d: got %s, want %s", i, rest, want)
			}
		}
		slices.Sort(counts)
		if n := len(slices.Compact(counts)); n != 20 {
			t.Errorf("%d counts: %v", n, replies)
		}
		stored := atOnce(t, store, exec.Options{}, crowd(20, "GET k#"), -1)
		for i, r := range stored {
			if v := fmt.Sprint("v", i); !strings.HasSuffix(r, " "+v) {
				t.Errorf("k%d is %s", i, r)
			}
		}
		if n := store.Commits(); n < 2 || n > 8 {
			t.Errorf("%d commits for 60 commands, 30 of which may share one", n)
		}
	}
}

// What one connection does wrong does not concern those who share its transaction.
func TestFailureAmongConnections(t *testing.T) {
	store := memstore.New(16)
	store.Write = func(k exec.Key) error {
		if string(k.Name) == "bad" {
			return wire.Error("ERR bad")
		}
		return nil
	}
	all := crowd(10, "INCR n", "SET k# v")
	all[3] = []string{"INCR n", "SET bad 1", "INCR n"}
	replies := atOnce(t, store, exec.Options{}, all, 7)
	n := atOnce(t, store, exec.Options{}, [][]string{{"GET n", "EXISTS k7 k8"}}, -1)[0]
	if n != "$2 10 :1" {
		t.Errorf("got %s", n)
	}
	for i, r := range replies {
		switch {
		case i == 3 && strings.Contains(r, " -ERR bad :"):
		case i == 7 && strings.HasPrefix(r, "-ERR"): // nobody reads it
		case i != 3 && i != 7 && strings.HasSuffix(r, " +OK"):
		default:
			t.Errorf("session %d: got %s", i, r)
		}
	}
}

// Where the shared commit fails, no connection is told otherwise.
func TestFailedCommitAmongConnections(t *testing.T) {
	store := memstore.New(16)
	store.Commit = func() error { return errors.New("disk on fire") }
	for i, r := range atOnce(t, store, exec.Options{}, crowd(10, "SET k# v", "GET k#"), -1) {
		if strings.Count(r, "-ERR internal error") != 2 {
			t.Errorf("session %d: got %s", i, r)
		}
	}
}

// What a shared transaction holds is charged once, and all of it is given back.
func TestMemoryAmongConnections(t *testing.T) {
	store := memstore.New(16)
	value := strings.Repeat("x", 50<<10)
	for i := range 10 {
		atOnce(t, store, exec.Options{}, [][]string{{fmt.Sprintf("SET k%d %s", i, value)}}, -1)
	}
	// Each record is held twice, as the store counts, and its successor.
	all := int64(3 * 10 * len(value))
	var most []int64
	for try := range 5 { // whoever is interrupted before it is ready misses the others
		p := &purse{}
		for i, r := range atOnce(t, store, exec.Options{Memory: p}, crowd(10, "APPEND k# y"), -1) {
			if want := fmt.Sprint(":", len(value)+1+try); r != want {
				t.Errorf("session %d: got %s, want %s", i, r, want)
			}
		}
		if n := p.taken.Load(); n != 0 {
			t.Errorf("%d bytes were not given back", n)
		}
		most = append(most, p.most.Load())
		if n := most[try]; n > all+1000 {
			t.Fatalf("%d bytes were charged at a time, of %d", n, all)
		} else if n >= all*2/3 {
			return
		}
	}
	t.Errorf("%d bytes were charged at a time, of %d", most, all)
}
