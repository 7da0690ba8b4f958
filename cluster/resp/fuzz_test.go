package resp

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// FuzzConnection sends anything to a connection: it does not panic, what it answers is
// replies, its memory is bounded and given back, and the server goes on.
func FuzzConnection(f *testing.F) {
	for _, s := range []string{
		"PING\r\nSET a b\r\nGET a\r\n",
		"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
		"MULTI\r\nSET a 1\r\nINCR a\r\nKEYS *\r\nFLUSHALL\r\nEXEC\r\n",
		"HELLO 3\r\nLCS a b IDX\r\nCLIENT REPLY OFF\r\nGET a\r\nCLIENT REPLY ON\r\n",
		"CLIENT REPLY SKIP\r\nMULTI\r\nGET a\r\nCLIENT REPLY OFF\r\nCLIENT REPLY ON\r\nEXEC\r\nPING\r\n",
		"SETRANGE a 99999 x\r\nGET a\r\nAPPEND a \"\\x00\"\r\nLCS a a\r\nCONFIG GET *\r\nINFO\r\n",
		"*1\r\n$4\r\nQUIT\r\n", "*-1\r\n*0\r\n\r\n*2\r\n$1", "POST /\r\n", "RESET\r\nSELECT 3\r\nMOVE a 1\r\nCOPY a b DB 2\r\n",
		"SCAN 0 MATCH [a-z]* COUNT 10 TYPE string\r\nCLIENT LIST\r\nCOMMAND GETKEYS MSET a b c d\r\n",
	} {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, input []byte, cut uint16) {
		store := memstore.New(16)
		store.Again = cut%2 == 0
		srv := New(store, Options{
			MaxValue: 1 << 20, MaxArgs: 1000, MaxTransaction: 64 << 10, MaxMemory: 8 << 20, MaxOutput: 4 << 20,
			GroupCommands: 1 + int(cut%5), GroupBytes: 1000,
		})
		defer func() { _ = srv.Close() }()
		client, server := net.Pipe()
		srv.accept(pipeConn{server})
		replies := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(client)
			replies <- b
		}()
		_ = client.SetWriteDeadline(time.Now().Add(20 * time.Second))
		for rest := input; len(rest) > 0; {
			n := min(len(rest), 1+int(cut))
			if _, err := client.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		// What comes last and whole is answered before the connection ends.
		if err := srv.Shutdown(short(t)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(bytes.NewReader(<-replies))
		for {
			if _, err := resptest.ReadValue(r); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%q is answered with something else than replies: %v", input, err)
			}
		}
		if m := srv.Metrics(); m.Memory != 0 || m.Clients != 0 {
			t.Fatalf("%q: left behind: %+v", input, m)
		}
	})
}

// pipeConn is a net.Pipe whose reads end at once when the server shuts down.
type pipeConn struct{ net.Conn }

func (p pipeConn) SetReadDeadline(time.Time) error {
	return p.Conn.SetReadDeadline(time.Now().Add(time.Millisecond))
}
