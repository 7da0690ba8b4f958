package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const workers, rounds = 8, 25

// parallel runs fn in several goroutines.
func parallel(fn func(worker int)) {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			fn(i)
		}()
	}
	wg.Wait()
}

// try is do for goroutines: nothing in it fails the test.
func (s *server) try(method, path, body string, headers ...string) (int, string, string) {
	w := &recorder{header: map[string][]string{}}
	s.handler.ServeHTTP(w, request(method, path, body, headers...))
	return w.status, w.text.String(), w.header.Get("ETag")
}

// Read, add one, write if nobody was faster: no addition is lost.
func TestConditionalWritesLoseNothing(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"n", "0").is(204)
	parallel(func(int) {
		for range rounds {
			for {
				_, text, tag := s.try("GET", keys+"n", "")
				n, err := strconv.Atoi(text)
				if err != nil {
					t.Error(err)
					return
				}
				if status, _, _ := s.try("PUT", keys+"n", strconv.Itoa(n+1), "If-Match: "+tag); status == 204 {
					break
				} else if status != 412 {
					t.Errorf("status %d", status)
					return
				}
			}
		}
	})
	s.do("GET", keys+"n", "").value(strconv.Itoa(workers * rounds))
}

func TestIncrementsLoseNothing(t *testing.T) {
	s := newServer(t, nil)
	parallel(func(int) {
		for range rounds {
			if status, text, _ := s.try("POST", keys+"n", `{"increment":1}`); status != 200 {
				t.Errorf("%d %s", status, text)
			}
		}
	})
	s.do("GET", keys+"n", "").value(strconv.Itoa(workers * rounds))
}

// Of those who create, one does.
func TestOneCreates(t *testing.T) {
	s := newServer(t, nil)
	for round := range rounds {
		var mu sync.Mutex
		won := 0
		parallel(func(i int) {
			if status, _, _ := s.try("PUT", fmt.Sprint(keys, "k", round), strconv.Itoa(i), "If-None-Match: *"); status == 204 {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
		if won != 1 {
			t.Fatalf("%d have created it", won)
		}
	}
}

// What was never read is never replaced: writers with the context of an absent key leave
// as many siblings as there were writes.
func TestSiblingsAreKept(t *testing.T) {
	s := newServer(t, nil)
	context := s.do("GET", keys+"k", "").context()
	parallel(func(i int) {
		if status, text, _ := s.try("PUT", keys+"k", strconv.Itoa(i), context); status != 204 {
			t.Errorf("%d %s", status, text)
		}
	})
	var e wire.Entry
	s.do("GET", keys+"k", "").is(300).json(&e)
	if len(e.Siblings) != workers {
		t.Errorf("%d siblings of %d writes", len(e.Siblings), workers)
	}
}

// The same request several times at once is applied once.
func TestRequestIDsAtOnce(t *testing.T) {
	s := newServer(t, nil)
	for round := range rounds {
		parallel(func(int) {
			status, text, _ := s.try("POST", keys+"n", `{"increment":1}`, fmt.Sprint("Ringwood-Request-Id: ", round))
			if want := fmt.Sprintf(`"number":%d`, round+1); status != 200 || !contains(text, want) {
				t.Errorf("%d %s, want %s", status, text, want)
			}
		})
	}
	s.do("GET", keys+"n", "").value(strconv.Itoa(rounds))
}

// After a power cut, a repeated request is applied exactly if it had been lost.
func TestRequestIDsAfterACrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 10 {
		s := newServer(t, nil)
		s.do("PATCH", "/v1/buckets/available", `{"durability":"sync"}`).is(200)
		const acknowledged = 5
		for i := range acknowledged {
			s.do("POST", keys+"n", `{"increment":1}`, fmt.Sprint("Ringwood-Request-Id: ", i)).is(200)
		}
		s.do("PATCH", "/v1/buckets/available", `{"durability":"none"}`).is(200)
		for i := range 5 {
			s.do("POST", keys+"n", `{"increment":1}`, fmt.Sprint("Ringwood-Request-Id: none-", i)).is(200)
		}
		s.fs = s.fs.(*vfs.Mem).CrashClone(vfs.CrashOptions{Survive: rng.Float64(), Rand: rng})
		s.r = openReplica(t, s.fs, s.now.Load())
		s.serve(nil)
		for i := range acknowledged {
			s.do("POST", keys+"n", `{"increment":1}`, fmt.Sprint("Ringwood-Request-Id: ", i)).is(200)
		}
		for i := range 5 {
			s.do("POST", keys+"n", `{"increment":1}`, fmt.Sprint("Ringwood-Request-Id: none-", i)).is(200)
		}
		if got := s.do("GET", keys+"n", "").text; got != "10" {
			t.Fatalf("round %d: after the repetitions there is %s, want 10", round, got)
		}
	}
}

// What was asked to be durable is, whatever the bucket asks for: also a deletion of what
// was deleted before.
func TestDurabilityAfterACrash(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"gone", "v", "Ringwood-Durability: sync").is(204)
	s.do("PATCH", "/v1/buckets/available", `{"durability":"none"}`).is(200)
	crash := func() {
		s.fs = s.fs.(*vfs.Mem).CrashClone(vfs.CrashOptions{})
		s.r = openReplica(t, s.fs, s.now.Load())
		s.serve(nil)
	}
	s.do("PUT", keys+"k", "1", "Ringwood-Durability: sync").is(204)
	s.do("PUT", keys+"k", "2").is(204)
	crash()
	s.do("GET", keys+"k", "").value("1")
	s.do("POST", "/v1/buckets/available/batch", `{"operations":[{"op":"increment","key":"k","by":1}]}`, "Ringwood-Durability: sync").is(200)
	crash()
	s.do("GET", keys+"k", "").value("2")
	s.do("DELETE", keys+"gone", "").is(204)
	crash()
	s.do("GET", keys+"gone", "").value("v") // or the next would show nothing
	s.do("DELETE", keys+"gone", "").is(204)
	s.do("DELETE", keys+"gone", "", "Ringwood-Durability: sync").is(204)
	crash()
	s.do("GET", keys+"gone", "").is(404)
}

func contains(text, part string) bool {
	for i := 0; i+len(part) <= len(text); i++ {
		if text[i:i+len(part)] == part && (i+len(part) == len(text) || text[i+len(part)] < '0' || text[i+len(part)] > '9') {
			return true
		}
	}
	return false
}

// Users change while they are used.
func TestUsersChangeUnderway(t *testing.T) {
	s := newServer(t, withUsers)
	// Logged in before the brake on failed logins is on.
	s.do("GET", "/v1/whoami", "", "user: admin").is(200)
	s.do("GET", "/v1/whoami", "", "user: reader").is(200)
	stop := time.Now().Add(200 * time.Millisecond)
	parallel(func(i int) {
		for n := 0; time.Now().Before(stop); n++ {
			if i == 0 {
				s.try("PATCH", "/v1/users/writer", []string{`{"disabled":true}`, `{"disabled":false}`}[n%2], "user: admin")
				continue
			}
			if status, text, _ := s.try("PUT", keys+"k", "v", "user: writer"); status != 204 && status != 401 && status != 429 {
				t.Errorf("%d %s", status, text)
			}
			if status, text, _ := s.try("GET", keys+"k", "", "user: reader"); status != 200 && status != 404 {
				t.Errorf("%d %s", status, text)
			}
		}
	})
}
