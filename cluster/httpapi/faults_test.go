package httpapi_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// After a failed sync nobody knows whether the write happened, and the answer says so.
func TestFailedSync(t *testing.T) {
	s := &server{t: t, now: newClock(), log: new(syncBuffer)}
	fault := vfs.NewFault(vfs.NewMem())
	s.fs = fault
	s.r = openReplica(t, fault, start)
	s.serve(nil)
	s.do("PATCH", "/v1/buckets/available", `{"durability":"sync"}`).is(200)
	s.do("PUT", keys+"k", "old").is(204)
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return errors.New("canary: the disk is broken")
		}
		return nil
	})
	e := s.do("PUT", keys+"k", "new").is(503, wire.ReadOnly).failure()
	if e.Definite || strings.Contains(e.Message+e.Hint, "canary") {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(s.log.String(), "canary") {
		t.Error("the log does not say why")
	}
	e = s.do("POST", "/v1/buckets/available/batch", `{"operations":[{"op":"put","key":"k","value":"x"}]}`).is(503, wire.ReadOnly).failure()
	if e.Definite {
		t.Errorf("%+v", e)
	}
	if got := s.do("GET", keys+"k", "").is(200).text; got != "old" && got != "new" {
		t.Errorf("then there is %q", got)
	}
	fault.SetHook(nil)
	_ = s.r.Close()
}

func TestFullDisk(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"k", "old").is(204)
	mem := s.fs.(*vfs.Mem)
	mem.SetCapacity(mem.Used())
	e := s.do("PUT", keys+"k", strings.Repeat("x", 8<<20)).is(507, wire.NoSpace).failure()
	if !e.Definite {
		t.Errorf("%+v", e)
	}
	mem.SetCapacity(0)
	s.do("GET", keys+"k", "").value("old")
	waitFor(t, func() bool { status, _, _ := s.try("PUT", keys+"k", "new"); return status == 204 })
	s.do("GET", keys+"k", "").value("new")
}

// A damaged record is an error, for each way to it, and never an absent key.
func TestDamagedRecord(t *testing.T) {
	s := newServer(t, nil)
	b, err := s.r.Bucket(replica.FirstBucket)
	must(t, err)
	partition, token := s.r.Locate([]byte("bad"))
	key := binary.BigEndian.AppendUint16(nil, partition)
	key = binary.BigEndian.AppendUint32(key, b.ID())
	key = append(binary.BigEndian.AppendUint64(key, token), "bad"...)
	must(t, s.r.Engine().Put(key, []byte("rubbish")))
	s.do("PUT", keys+"good", "v").is(204)
	for method, body := range map[string]string{"GET": "", "PUT": "x", "DELETE": "", "POST": `{"increment":1}`} {
		if e := s.do(method, keys+"bad", body).is(500, wire.Corrupt).failure(); !e.Definite {
			t.Errorf("%s: %+v", method, e)
		}
	}
	var many wire.MultiGetResult
	s.do("POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"bad"},{"key":"good"}]}`).is(200).json(&many)
	if e := many.Entries[0].Error; e == nil || e.Code != wire.Corrupt || many.Entries[1].Error != nil {
		t.Errorf("%+v", many)
	}
	out := s.batch(`{"operations":[{"op":"put","key":"bad","value":"x"},{"op":"put","key":"good","value":"x"}]}`)
	if e := out.Results[0].Error; e == nil || e.Code != wire.Corrupt || out.Results[1].Error != nil {
		t.Errorf("%+v", out)
	}
	if got := s.do("GET", "/v1/buckets/available/keys", ""); got.StatusCode != 500 && !strings.Contains(got.text, `"corrupt"`) {
		t.Errorf("a scan over it: %d %s", got.StatusCode, got.text)
	}
}

// What the store says without a *wire.Error does not reach the client.
func TestUnknownErrors(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Store = failing{o.Store} })
	e := s.do("GET", keys+"k", "").is(500, wire.Internal).failure()
	if !e.Definite || strings.Contains(e.Message, "canary") {
		t.Errorf("%+v", e)
	}
	e = s.do("PUT", keys+"k", "v").is(500, wire.Internal).failure()
	if e.Definite || strings.Contains(e.Message, "canary") {
		t.Errorf("%+v", e)
	}
	if strings.Count(s.log.String(), "canary") != 2 {
		t.Errorf("the log: %s", s.log.String())
	}
}

// A server whose store was closed says that it stops, and nothing was written.
func TestClosedStore(t *testing.T) {
	s := newServer(t, nil)
	must(t, s.r.Close())
	if e := s.do("PUT", keys+"k", "v").is(503, wire.Closing).failure(); !e.Definite {
		t.Errorf("%+v", e)
	}
	s.do("GET", keys+"k", "").is(503, wire.Closing)
	s.do("GET", "/v1/buckets/available/keys", "").is(503, wire.Closing)
	s.do("POST", "/v1/admin/flush", "").is(503, wire.Closing)
}

// A repetition is not acknowledged before the write that it repeats: not while that waits
// for the disk, and not if that fails.
func TestRepetitionsWaitForTheDisk(t *testing.T) {
	for _, fails := range []bool{false, true} {
		fault := vfs.NewFault(vfs.NewMem())
		s := &server{t: t, fs: fault, now: newClock(), log: new(syncBuffer)}
		s.r = openReplica(t, fault, start)
		s.serve(nil)
		s.do("PATCH", "/v1/buckets/available", `{"durability":"sync"}`).is(200)
		s.do("PUT", keys+"n", "0", "Ringwood-Request-Id: zero").is(204) // makes the bucket of ids
		begun, end := make(chan struct{}), make(chan struct{})
		var once sync.Once
		fault.SetHook(func(op vfs.Op) error {
			if op.Kind != vfs.OpSync {
				return nil
			}
			once.Do(func() { close(begun) })
			<-end
			if fails {
				return errors.New("the disk is gone")
			}
			return nil
		})
		var wg sync.WaitGroup
		var done atomic.Int64
		ask := func() {
			wg.Go(func() {
				status, text, _ := s.try("POST", keys+"n", `{"increment":1}`, "Ringwood-Request-Id: one")
				done.Add(1)
				if (status == 200) == fails || !fails && !strings.Contains(text, `"number":1`) || fails && strings.Contains(text, `"definite":true`) {
					t.Errorf("the sync fails %v: %d %s", fails, status, text)
				}
			})
		}
		ask()
		<-begun
		ask()
		time.Sleep(30 * time.Millisecond)
		if n := done.Load(); n > 0 {
			t.Errorf("%d answers before the sync", n)
		}
		s.do("GET", keys+"n", "").value("0")
		close(end)
		wg.Wait()
		fault.SetHook(nil)
	}
}
