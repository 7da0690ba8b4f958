package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/internal/respaccess"
	"github.com/ringwood-kv/ringwood/cluster/resp"
)

// AdminUser is the user whom Options.AdminPassword makes.
const AdminUser = "admin"

// loginWait is how long a login waits for its turn to be hashed.
const loginWait = 30 * time.Second

// users is who exists, as it is on disk.
type users struct {
	mu     sync.Mutex // one change at a time
	seed   [16]byte
	state  atomic.Pointer[access.State]
	policy atomic.Pointer[access.Policy]
}

// use makes a state the one that counts.
func (u *users) use(s access.State) {
	u.policy.Store(access.Compile(s, u.seed))
	u.state.Store(&s)
}

func (u *users) exists(name string) bool {
	for _, user := range u.state.Load().Users() {
		if user.Name == name {
			return true
		}
	}
	return false
}

// openUsers reads the users, and makes the first one.
func (n *Node) openUsers(ctx context.Context) (err error) {
	if n.hasher, err = access.NewHasher(access.HasherOptions{Memory: n.opts.LoginMemory}); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	limiter, err := access.NewLimiter(access.LimiterOptions{})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	n.door = &access.Door{Hasher: n.hasher, Limiter: limiter}
	if n.users.seed, err = n.seed(); err != nil {
		return err
	}
	b, found, err := n.replica.ReadMeta(metaUsers)
	if err != nil {
		return err
	}
	var s access.State
	if found {
		if s, err = access.DecodeState(b); err != nil {
			return fmt.Errorf("cluster: the users of the store cannot be read; open it with the version that wrote them, or restore a checkpoint: %w", err)
		}
	}
	if !n.opts.AdminPassword.IsEmpty() {
		if !s.IsEmpty() && !n.opts.ResetAdmin {
			n.log.Info("there are users: the password for admin was not looked at")
		} else if s, err = n.addAdmin(ctx, s); err != nil {
			return err
		}
	}
	n.users.use(s)
	return n.opts.safe(!s.IsEmpty())
}

// addAdmin makes the first user, or makes the user anew.
func (n *Node) addAdmin(ctx context.Context, s access.State) (access.State, error) {
	hash, err := n.HashPassword(ctx, n.opts.AdminPassword)
	if err != nil {
		return s, fmt.Errorf("cluster: the password of admin: %w", err)
	}
	if !s.IsEmpty() {
		without, err := s.DeleteUser(AdminUser, true)
		if err != nil && !errors.Is(err, access.ErrNotFound) {
			return s, fmt.Errorf("cluster: making admin anew: %w", err)
		}
		s = without
		n.log.Warn("the user admin is made anew, with another password: start without that from now on")
	}
	s, err = s.AddUser(access.NewUser{Name: AdminUser, Password: hash, Grants: []access.Grant{{Role: access.RoleAdmin}}}, false)
	if err != nil {
		return s, fmt.Errorf("cluster: making admin: %w", err)
	}
	if err := n.replica.WriteMeta(metaUsers, s.Encode()); err != nil {
		return s, fmt.Errorf("cluster: keeping admin: %w", err)
	}
	n.log.Info("the user admin was made")
	return s, nil
}

// Users returns who exists.
func (n *Node) Users() access.State { return *n.users.state.Load() }

// Policy returns the users of this moment, made ready for checks. Refresh of a principal
// by it costs a comparison.
func (n *Node) Policy() *access.Policy { return n.users.policy.Load() }

// Login checks a password or token of a client at an address; an empty user is as in
// access.Door.Login, and so are the errors. The principal is good until Policy().Refresh
// says otherwise.
func (n *Node) Login(ctx context.Context, from netip.Addr, user string, secret access.Secret) (*access.Principal, error) {
	return n.door.Login(ctx, n.Policy(), from, user, secret, n.now())
}

// Anonymous returns who a client is that has not logged in: nil, unless there are no
// users and it comes from this machine, or Options.Insecure is set.
func (n *Node) Anonymous(from net.Addr) *access.Principal {
	return n.Policy().Anonymous(n.anonymous(from))
}

// needsNoLogin reports whether a client is somebody as it is. Until the users are read,
// nobody is.
func (n *Node) needsNoLogin(from net.Addr) bool {
	return n.Policy() != nil && n.Anonymous(from) != nil
}

func (n *Node) anonymous(from net.Addr) bool {
	return n.opts.Insecure || respaccess.Loopback(from)
}

// HashPassword hashes a password for a change of users. It waits for its turn until ctx
// ends.
func (n *Node) HashPassword(ctx context.Context, password access.Secret) (access.Hash, error) {
	salt, err := access.NewSalt(n.opts.Random)
	if err != nil {
		return access.Hash{}, err
	}
	return n.hasher.Hash(ctx, password, salt)
}

// HashSecondPassword hashes one that is to be valid beside the user's present one.
func (n *Node) HashSecondPassword(ctx context.Context, user string, password access.Secret) (access.Hash, error) {
	old, err := n.Users().PasswordHash(user)
	if err != nil {
		return access.Hash{}, err
	}
	return n.hasher.HashLike(ctx, password, old)
}

// ChangeUsers lets actor change users and roles: change makes of the present State
// another one, and does not block. It is on disk when ChangeUsers returns; sessions that
// are over by it end.
//
// The error is that of change; access.ErrDenied; ErrUnsafe, if the node would listen
// where others reach it and there would be no users; or that of the disk, after which
// nothing has changed, except that lsm.ErrReadOnly leaves open what the next start finds.
func (n *Node) ChangeUsers(actor *access.Principal, change func(access.State) (access.State, error)) (access.State, error) {
	n.users.mu.Lock()
	defer n.users.mu.Unlock()
	before := n.Users()
	actor = n.Policy().Refresh(actor, n.now())
	if actor == nil {
		return before, fmt.Errorf("%w: not logged in, or the session is over", access.ErrDenied)
	}
	after, err := change(before)
	if err != nil {
		return before, err
	}
	if err := access.AuthorizeChange(actor, before, after); err != nil {
		n.log.Warn("a change of users was denied", "actor", actor.Name(), "credential", actor.Credential(), "err", err)
		return before, err
	}
	if err := n.keepUsers(before, after); err != nil || after.Seq() == before.Seq() {
		return before, err
	}
	ended := n.endSessions()
	n.log.Info("users changed", "actor", actor.Name(), "credential", actor.Credential(), "change", after.Seq(), "sessions ended", ended)
	return after, nil
}

// keepUsers makes a State durable and lets it count, if it is another one. The caller
// holds n.users.mu and has judged the change.
func (n *Node) keepUsers(before, after access.State) error {
	if err := n.opts.safe(!after.IsEmpty()); err != nil {
		return err
	}
	if after.Seq() == before.Seq() {
		return nil
	}
	if err := n.replica.WriteMeta(metaUsers, after.Encode()); err != nil {
		n.storeFailed(err)
		return fmt.Errorf("cluster: keeping the users: %w", err)
	}
	n.users.use(after)
	return nil
}

// endSessions brings all sessions over RESP up to date and closes those that are over.
func (n *Node) endSessions() int {
	return n.resp.Kill(func(c resp.ClientInfo) bool {
		u, ok := c.Login.(*respaccess.User)
		return ok && u != nil && !u.Refresh()
	})
}

// AddUser is ChangeUsers for a new user with a password, or without one if it is empty.
func (n *Node) AddUser(ctx context.Context, actor *access.Principal, name string, password access.Secret, grants []access.Grant, expires time.Time) error {
	u := access.NewUser{Name: name, Grants: grants, Expires: expires}
	if !password.IsEmpty() {
		hash, err := n.HashPassword(ctx, password)
		if err != nil {
			return err
		}
		u.Password = hash
	}
	_, err := n.ChangeUsers(actor, func(s access.State) (access.State, error) { return s.AddUser(u, false) })
	return err
}

// SetPassword is ChangeUsers for a password. With keepOld, the one before stays valid
// beside it.
func (n *Node) SetPassword(ctx context.Context, actor *access.Principal, user string, password access.Secret, keepOld bool) error {
	var hash access.Hash
	var err error
	if keepOld {
		hash, err = n.HashSecondPassword(ctx, user, password)
	}
	if !keepOld || errors.Is(err, access.ErrNotFound) { // there is none to keep
		hash, err = n.HashPassword(ctx, password)
	}
	if err != nil {
		return err
	}
	_, err = n.ChangeUsers(actor, func(s access.State) (access.State, error) { return s.SetPassword(user, hash, keepOld) })
	return err
}

// AddToken is ChangeUsers for a new token, which it returns: it is shown nowhere else.
// Expires is zero for never.
func (n *Node) AddToken(actor *access.Principal, user, label string, expires time.Time) (access.Secret, error) {
	secret, sum, err := access.NewToken(n.opts.Random)
	if err != nil {
		return access.Secret{}, err
	}
	_, err = n.ChangeUsers(actor, func(s access.State) (access.State, error) { return s.AddToken(user, label, sum, expires) })
	if err != nil {
		return access.Secret{}, err
	}
	return secret, nil
}
