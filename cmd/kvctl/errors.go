package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
)

// errTold ends a command that has said already why it fails.
var errTold = errors.New("told already")

// exit reports err and returns the status.
func exit(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDamage), errors.Is(err, errTold):
		return exitFailed
	case errors.As(err, &usage), errors.Is(err, client.ErrInvalid): // the client found an argument that cannot be
		fmt.Fprintf(stderr, "kvctl: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "kvctl: %s\n", message(err))
	if next := advice(err); next != "" {
		fmt.Fprintf(stderr, "next: %s\n", next)
	}
	return exitFailed
}

// message is what a person has to know of an error: of one that a node has answered, what
// it said.
func message(err error) string {
	var told *wire.Error
	var asked *client.Error
	if errors.As(err, &told) {
		text := told.Message
		if errors.As(err, &asked) && asked.Indeterminate {
			text += "; it is not known whether the write happened"
		}
		return text
	}
	return err.Error()
}

// advice says what to do about an error.
func advice(err error) string {
	var told *wire.Error
	if errors.As(err, &told) {
		return adviceOfNode(told)
	}
	var dial *net.OpError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.Is(err, lsm.ErrCorruption):
		return "kvctl check DIR lists all damage of a store and what to do; kvctl salvage DIR NEWDIR saves what can be read"
	case errors.As(err, &unknown):
		return "name the certificate that has signed that of the node by --ca-file or KVCTL_CA_FILE"
	case errors.As(err, &name):
		return "use a name in --addr that is in the certificate of the node"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the node speaks no TLS there: write http:// in --addr"
	case strings.Contains(err.Error(), "malformed HTTP"), errors.Is(err, client.ErrAnswer), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "see whether --addr is the HTTP address of a node, not that of RESP, and whether it takes https://"
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dns):
		return "see whether kvnode runs there: --addr or KVCTL_ADDR is its --http-addr"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dial) && dial.Timeout():
		return "the node did not answer in time: see kvctl health, its log, and --timeout"
	case errors.Is(err, client.ErrIndeterminate):
		return "read the key: the write may have happened"
	case errors.Is(err, inspect.ErrNoStore), errors.Is(err, fs.ErrNotExist):
		return "check the path; a store is a directory with a file named CURRENT in it"
	case errors.Is(err, fs.ErrPermission):
		return "run kvctl as the user who owns the files"
	case errors.Is(err, inspect.ErrBusy):
		return "try again when less is written, or look at a checkpoint"
	case errors.Is(err, lsm.ErrNoSpace):
		return "make room, or name a directory on another disk"
	case errors.Is(err, syscall.EIO):
		return "the data may be whole: see what the log of the operating system says of the disk, and try again"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return "check the path; check, stats and salvage take the directory of a store"
	}
	return ""
}

// adviceOfNode is the hint of a node, in the words of kvctl where there are some.
func adviceOfNode(e *wire.Error) string {
	switch e.Code {
	case wire.Unauthorized:
		return "log in by --user NAME --password-file FILE or --token-file FILE, or by KVCTL_USER, KVCTL_PASSWORD_FILE and KVCTL_TOKEN_FILE"
	case wire.Forbidden:
		return "kvctl whoami tells as whom you are logged in; an administrator can grant a role by kvctl users alter"
	case wire.NoBucket:
		return "kvctl buckets list shows which there are, kvctl buckets create NAME makes one"
	case wire.NotFound:
		return ""
	case wire.LastAdmin:
		return "--force does it all the same; the first user has to have the role admin: kvctl users add NAME --grant admin --new-password-file FILE"
	case wire.Precondition:
		return "read the key again: somebody has changed it"
	case wire.NotAvailable:
		return "this node does not offer it"
	}
	return e.Hint
}
