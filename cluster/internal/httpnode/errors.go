package httpnode

import (
	"context"
	"errors"
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// explain turns an error of the replica into what the client hears. Which commits are
// indeterminate is in the words of replica.Update.
func (n *Node) explain(err error) error {
	var told *wire.Error
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case errors.As(err, &told), is(context.Canceled), is(context.DeadlineExceeded):
		return err
	case is(replica.ErrIndeterminate):
		n.log(err)
		return &wire.Error{Code: wire.Indeterminate, Message: "it is not known whether the write happened", Hint: "read the key; a write with a request id can be repeated"}
	case is(lsm.ErrReadOnly):
		n.log(err)
		return &wire.Error{Code: wire.ReadOnly, Message: "the disk has failed, and the store takes no writes; whether this one happened is not known", Hint: "look at the disk, and restart the server"}
	case is(replica.ErrClosed):
		return wire.Errorf(wire.Closing, "the server is about to stop").WithHint("try again, or another node")
	case is(replica.ErrNoBucket):
		return wire.Errorf(wire.NoBucket, "the bucket was dropped")
	case is(replica.ErrBucketExists):
		return wire.Errorf(wire.Exists, "there is a bucket of that name already").WithHint("PATCH changes it")
	case is(replica.ErrMode), is(replica.ErrInvalid):
		return wire.Errorf(wire.BadRequest, "%s", text(err))
	case is(replica.ErrTooLarge):
		return wire.Errorf(wire.TooLarge, "%s", text(err))
	case is(replica.ErrBusy):
		return wire.Errorf(wire.Busy, "too many dropped and emptied buckets are still being removed").WithHint("try again in a minute")
	case is(lsm.ErrNoSpace):
		n.log(err)
		return wire.Errorf(wire.NoSpace, "the disk is full").WithHint("make room: writes go on by themselves then")
	case is(replica.ErrCorruption):
		n.log(err)
		return wire.Errorf(wire.Corrupt, "what is stored cannot be read: it is damaged").WithHint("the log of the server names the file; kvctl check looks at all of them")
	case is(vclock.ErrLimit):
		return wire.Errorf(wire.TooManySiblings, "%s", text(err)).WithHint("read the key, make one value of its siblings, and write that with the context of the read")
	case is(vclock.ErrAmnesia), is(hlc.ErrOffset), is(vclock.ErrTimestamp):
		n.log(err)
		return wire.Errorf(wire.ContextAhead, "the context is of a time that this node does not know").WithHint("read the key again; if that does not help, the node was restored from a copy, or its clock is wrong")
	}
	n.log(err)
	return wire.Errorf(wire.Internal, "the request failed; the reason is in the log of the server")
}

// explainToken says what is wrong with a context.
func (n *Node) explainToken(err error) *wire.Error {
	switch {
	case errors.Is(err, vclock.ErrTokenOtherKey):
		return wire.Errorf(wire.BadContext, "the context is of another key, or from before the bucket was emptied").WithHint("use the context of a read of this key")
	case errors.Is(err, vclock.ErrTokenForged):
		return wire.Errorf(wire.BadContext, "the context was not made by this cluster, or it was altered").WithHint("use the context of a read as it came")
	}
	return wire.Errorf(wire.BadContext, "the context is malformed").WithHint("use the context of a read as it came")
}

// text is an error of a package below without its name.
func text(err error) string {
	s := err.Error()
	for _, p := range []string{"replica: ", "vclock: ", "lsm: "} {
		s = strings.TrimPrefix(s, p)
	}
	return s
}

func (n *Node) log(err error) { n.o.Logger.Error("httpnode: a request failed", "error", err.Error()) }
