package resp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
)

// ClientInfo describes a connection.
type ClientInfo struct {
	ID              int64
	Addr, LocalAddr string
	Name            string
	LibName, LibVer string // what CLIENT SETINFO said
	User            string
	Login           User // what Access made of the login; nil without Access or login
	Age, Idle       time.Duration
	DB              int
	Proto           int
	Multi           int    // commands that MULTI keeps, -1 outside of a transaction
	Command         string // the last one
	Input           int64  // bytes of the request that is arriving
}

// info describes the connection, for any goroutine.
func (c *conn) info() ClientInfo {
	c.mu.Lock()
	p := c.public
	c.mu.Unlock()
	tick := c.srv.tick.Load()
	phase, since := c.moment.get()
	i := ClientInfo{
		ID: c.id, Addr: c.addr, LocalAddr: c.laddr, Name: p.name, LibName: p.libName, LibVer: p.libVer,
		User: p.user, Login: p.login, DB: p.db, Proto: int(p.proto), Multi: p.multi,
		Age: time.Duration(max(0, tick-c.created.UnixMilli())) * time.Millisecond,
	}
	if phase != phaseBusy {
		i.Idle = time.Duration(max(0, tick-since)) * time.Millisecond
	}
	if phase == phaseRequest {
		i.Input = c.held.Load()
	}
	if cmd := c.command.Load(); cmd != nil {
		i.Command = cmd.Name
	}
	return i
}

// line is the form of CLIENT LIST in Redis 7.2: the fields of 7.0, and the library.
func (i ClientInfo) line() string {
	flags := "N"
	if i.Multi >= 0 {
		flags = "x"
	}
	command := i.Command
	if command == "" {
		command = "NULL"
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=0 name=%s age=%d idle=%d flags=%s db=%d sub=0 psub=0 ssub=0 multi=%d qbuf=%d qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=%d events=r cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
		i.ID, i.Addr, i.LocalAddr, i.Name, int(i.Age.Seconds()), int(i.Idle.Seconds()), flags, i.DB, i.Multi, i.Input, i.Input, command, i.User, i.Proto, i.LibName, i.LibVer)
}

// setName names the connection, nothing takes the name away.
func (c *conn) setName(name []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.public.name = string(name)
}

func clientGetName(c *conn, _ [][]byte) error {
	if name := c.public.name; name != "" { // written by this goroutine only
		c.w.BulkString(name)
	} else {
		c.w.Null()
	}
	return nil
}

func clientSetName(c *conn, args [][]byte) error {
	if err := option.CheckName(args[2]); err != nil {
		return err
	}
	c.setName(args[2])
	c.w.OK()
	return nil
}

func clientID(c *conn, _ [][]byte) error {
	c.w.Int(c.id)
	return nil
}

// maxLib is what is kept of the name of a library.
const maxLib = 128

func clientSetInfo(c *conn, args [][]byte) error {
	s, err := option.ParseSetInfo(args)
	if err != nil {
		return err
	}
	value := string(s.Value[:min(len(s.Value), maxLib)])
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Version {
		c.public.libVer = value
	} else {
		c.public.libName = value
	}
	c.w.OK()
	return nil
}

func clientInfo(c *conn, _ [][]byte) error {
	c.w.Verbatim("txt", []byte(c.info().line()))
	return nil
}

func clientList(c *conn, args [][]byte) error {
	l, err := option.ParseClientList(args)
	if err != nil {
		return err
	}
	var b strings.Builder
	if l.Type == option.AnyClient || l.Type == option.NormalClient {
		for _, i := range c.srv.Clients() {
			if l.IDs == nil || slices.Contains(l.IDs, i.ID) {
				b.WriteString(i.line())
			}
		}
	}
	c.w.Verbatim("txt", []byte(b.String()))
	return nil
}

func clientKill(c *conn, args [][]byte) error {
	k, err := option.ParseClientKill(args, c.srv.isUser)
	if err != nil {
		return err
	}
	n := int64(0)
	for _, o := range c.srv.clients.sorted() {
		if !killed(k, o.info()) || o == c && k.SkipMe {
			continue
		}
		n++
		if o == c {
			c.last, c.polite = true, true
		} else {
			o.kill()
		}
		if k.Old {
			break
		}
	}
	switch {
	case !k.Old:
		c.w.Int(n)
	case n == 0:
		return option.ErrNoClient
	default:
		c.w.OK()
	}
	return nil
}

// killed reports whether a connection fits the filters.
func killed(k option.ClientKill, i ClientInfo) bool {
	return (k.ID == 0 || k.ID == i.ID) &&
		(k.Type == option.AnyClient || k.Type == option.NormalClient) &&
		(k.Addr == nil || string(k.Addr) == i.Addr) &&
		(k.LAddr == nil || string(k.LAddr) == i.LocalAddr) &&
		(k.User == nil || string(k.User) == i.User)
}

// isUser reports whether there is a user of a name.
func (s *Server) isUser(name []byte) bool {
	if s.opts.Access == nil {
		return string(name) == defaultUser
	}
	return s.opts.Access.Exists(name)
}

// clientReply chooses which replies are written. What it chooses holds from the next
// request on, except that ON is answered.
func clientReply(c *conn, args [][]byte) error {
	r, err := option.ParseReply(args)
	if err != nil {
		return err
	}
	switch r {
	case option.ReplyOn:
		c.off, c.skip, c.skipNext = false, false, false
		c.unmute()
		c.w.OK()
	case option.ReplyOff:
		c.off = true
	case option.ReplySkip:
		c.skipNext = !c.off
	}
	return nil
}

// nextReply makes ready for the reply to the next request.
func (c *conn) nextReply() {
	c.skip, c.skipNext = c.skipNext, false
	if mute := c.off || c.skip; mute != c.muted {
		c.s.Commit()
		c.muted = mute
		c.w.Mute(mute)
	}
}

// unmute lets the reply of this request be written. In EXEC the array is not cut: it
// holds from the next request on.
func (c *conn) unmute() {
	if c.muted && !c.s.InBlock() {
		c.muted = false
		c.w.Mute(false)
	}
}

func clientUnblock(c *conn, args [][]byte) error {
	if _, err := option.ParseUnblock(args); err != nil {
		return err
	}
	c.w.Int(0)
	return nil
}

func clientOnOff(c *conn, args [][]byte) error {
	if _, err := option.ParseOnOff(args); err != nil {
		return err
	}
	c.w.OK()
	return nil
}

func clientUnpause(c *conn, _ [][]byte) error {
	c.w.OK()
	return nil
}
