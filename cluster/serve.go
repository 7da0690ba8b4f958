package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/resp"
)

// Serve answers clients until the node is shut down, and then returns nil, or until a
// listener fails, and then returns its error: the node still has to be shut down. It is
// called once.
func (n *Node) Serve() error {
	if !n.phase.CompareAndSwap(phaseOpen, phaseServing) {
		if n.phase.Load() >= phaseStopping {
			return nil
		}
		return errors.New("cluster: Serve was called before")
	}
	if n.respListen != nil {
		n.goroutines.Add(1)
		go func() {
			defer n.goroutines.Done()
			if err := n.resp.Serve(tlsListener(n.respListen, n.respCerts)); !errors.Is(err, resp.ErrClosed) {
				n.failed <- fmt.Errorf("cluster: serving RESP: %w", err)
			}
		}()
	}
	n.log.Info("serving", "resp", addrText(n.RESPAddr()), "http", addrText(n.HTTPAddr()))
	for _, w := range n.expiring(n.now()) {
		n.log.Warn(w)
	}
	if names := n.exposed(); len(names) > 0 {
		n.log.Warn("INSECURE: whoever reaches these addresses may read and change everything, or listen to those who do", "listeners", names)
	}
	select {
	case <-n.closed:
		return nil
	case err := <-n.failed:
		return err
	}
}

func (n *Node) exposed() []string { return n.opts.exposed(!n.Users().IsEmpty()) }

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// maxStreams is how many requests one connection of HTTP/2 may have under way.
const maxStreams = 100

// serveHTTP begins to answer HTTP.
func (n *Node) serveHTTP() {
	if n.httpListen == nil {
		return
	}
	opening := http.Handler(http.HandlerFunc(n.answerOpening))
	n.handler.Store(&opening)
	positive := func(d time.Duration) time.Duration { return max(d, 0) }
	t := &n.opts.Timeouts
	n.http = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*n.handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: positive(t.Header), ReadTimeout: positive(t.Read), WriteTimeout: positive(t.Write),
		IdleTimeout: positive(t.Idle), MaxHeaderBytes: n.opts.Limits.Header,
		ErrorLog:    slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return n.ctx }, ConnContext: connContext,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	if t.Idle < 0 {
		n.http.IdleTimeout = 1<<63 - 1 // 0 would be that of reading
	}
	n.goroutines.Add(1)
	go func() {
		defer n.goroutines.Done()
		var err error
		if n.httpCerts != nil {
			n.http.TLSConfig = n.httpCerts.server()
			err = n.http.ServeTLS(n.httpListen, "", "")
		} else {
			err = n.http.Serve(n.httpListen)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			n.failed <- fmt.Errorf("cluster: serving HTTP: %w", err)
		}
	}()
}

// answerOpening answers HTTP until there is a store.
func (n *Node) answerOpening(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path == "/healthz" {
		_, _ = fmt.Fprintln(w, `{"live":true}`)
		return
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	reason := n.opening()
	if strings.HasPrefix(r.URL.Path, "/v1/") { // as the API says it: nothing has happened
		_ = json.NewEncoder(w).Encode(wire.Failure{Error: wire.Errorf(wire.Starting, "%s", reason.Text)})
		return
	}
	_, _ = fmt.Fprintf(w, "{\"ready\":false,\"reasons\":[{\"code\":%q,\"text\":%q}]}\n", reason.Code, reason.Text)
}

// Shutdown ends the node in order: nobody connects any more, requests that have arrived
// are answered, and the store is closed, with everything durable that was acknowledged,
// whatever its bucket asked for. When ctx ends before the clients have their answers,
// they are cut off; the store is closed all the same. The error says that not everything
// could be made durable, or is that of ctx. Calls after the first wait for it, and
// return the same.
func (n *Node) Shutdown(ctx context.Context) error {
	n.end(ctx)
	return errors.Join(n.storeErr, n.clientErr)
}

// end is Shutdown without its result.
func (n *Node) end(ctx context.Context) {
	n.closing.Do(func() {
		n.shutdown(ctx)
		n.phase.Store(phaseClosed)
		close(n.closed)
	})
}

func (n *Node) shutdown(ctx context.Context) {
	n.phase.Store(phaseStopping)
	n.log.Info("stopping")
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = n.resp.Shutdown(ctx) })
	if n.http != nil {
		wg.Go(func() {
			if errs[1] = n.http.Shutdown(ctx); errs[1] != nil {
				_ = n.http.Close()
			}
		})
	}
	wg.Wait()
	if n.respListen != nil {
		_ = n.respListen.Close() // where Serve was not called
	}
	n.cancel()
	n.goroutines.Wait()
	n.clientErr = errors.Join(errs[0], errs[1])
	if n.storeErr = n.replica.Close(); n.storeErr != nil {
		n.log.Error("the store was not closed in order", "err", n.storeErr)
	} else {
		n.log.Info("stopped")
	}
}

// Close is Shutdown that waits for no client. What was acknowledged is durable
// afterwards all the same.
func (n *Node) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.end(ctx)
	return n.storeErr
}
