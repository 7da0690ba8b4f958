package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// The administration of a node: what kvctl does. Shapes and fields are those of package
// wire. With several addresses, it is the node that answers.

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, &request{op: "get " + path, method: http.MethodGet, path: path}, nil, out)
}

func (c *Client) change(ctx context.Context, method, path string, in, out any) error {
	return c.call(ctx, &request{op: method + " " + path, method: method, path: path, write: true}, in, out)
}

func forced(path string, force bool) string {
	if force {
		return path + "?force=true"
	}
	return path
}

func userPath(name string) string { return "/v1/users/" + escape([]byte(name)) }
func rolePath(name string) string { return "/v1/roles/" + escape([]byte(name)) }

// WhoAmI says as whom the client is logged in.
func (c *Client) WhoAmI(ctx context.Context) (out wire.WhoAmI, err error) {
	return out, c.get(ctx, "/v1/whoami", &out)
}

// Status returns the state of the node.
func (c *Client) Status(ctx context.Context) (out wire.Status, err error) {
	return out, c.get(ctx, "/v1/status", &out)
}

// Config returns the configuration of the node, without secrets.
func (c *Client) Config(ctx context.Context) (out wire.Config, err error) {
	return out, c.get(ctx, "/v1/config", &out)
}

// SlowLog returns slow requests, the latest first.
func (c *Client) SlowLog(ctx context.Context) (out wire.SlowLog, err error) {
	return out, c.get(ctx, "/v1/slowlog", &out)
}

// Top returns the keys that are used most.
func (c *Client) Top(ctx context.Context) (out wire.Top, err error) {
	return out, c.get(ctx, "/v1/top", &out)
}

// Flush writes what the node has in memory into tables.
func (c *Client) Flush(ctx context.Context) error {
	return c.change(ctx, http.MethodPost, "/v1/admin/flush", nil, nil)
}

// Compact merges all tables of the node. It may take longer than Options.Timeout, which
// is for one attempt.
func (c *Client) Compact(ctx context.Context) error {
	return c.change(ctx, http.MethodPost, "/v1/admin/compact", nil, nil)
}

// Checkpoint makes a copy of the store on the node.
func (c *Client) Checkpoint(ctx context.Context, name string) (out wire.Checkpoint, err error) {
	return out, c.change(ctx, http.MethodPost, "/v1/admin/checkpoint", wire.CheckpointRequest{Name: name}, &out)
}

// Buckets lists buckets.
func (c *Client) Buckets(ctx context.Context) ([]wire.Bucket, error) {
	var out wire.Buckets
	err := c.get(ctx, "/v1/buckets", &out)
	return out.Buckets, err
}

// Info returns what is known of the bucket.
func (b *Bucket) Info(ctx context.Context) (out wire.Bucket, err error) {
	return out, b.c.get(ctx, b.path, &out)
}

// Create makes the bucket.
func (b *Bucket) Create(ctx context.Context, config wire.BucketConfig) (out wire.Bucket, err error) {
	return out, b.c.change(ctx, http.MethodPut, b.path, config, &out)
}

// Alter changes how the bucket is configured.
func (b *Bucket) Alter(ctx context.Context, config wire.BucketConfig) (out wire.Bucket, err error) {
	return out, b.c.change(ctx, http.MethodPatch, b.path, config, &out)
}

// Drop removes the bucket and all that is in it.
func (b *Bucket) Drop(ctx context.Context) error {
	return b.c.change(ctx, http.MethodDelete, b.path, nil, nil)
}

// Empty removes all keys of the bucket.
func (b *Bucket) Empty(ctx context.Context) error {
	return b.c.change(ctx, http.MethodPost, b.path+"/empty", nil, nil)
}

// Users lists users.
func (c *Client) Users(ctx context.Context) ([]wire.User, error) {
	var out wire.Users
	err := c.get(ctx, "/v1/users", &out)
	return out.Users, err
}

// User returns a user.
func (c *Client) User(ctx context.Context, name string) (out wire.User, err error) {
	return out, c.get(ctx, userPath(name), &out)
}

// CreateUser makes a user. Force makes one though nobody can administer users then.
func (c *Client) CreateUser(ctx context.Context, name string, u wire.UserChange, force bool) (out wire.User, err error) {
	return out, c.change(ctx, http.MethodPut, forced(userPath(name), force), u, &out)
}

// ChangeUser changes a user.
func (c *Client) ChangeUser(ctx context.Context, name string, u wire.UserChange, force bool) (out wire.User, err error) {
	return out, c.change(ctx, http.MethodPatch, forced(userPath(name), force), u, &out)
}

// DeleteUser removes a user.
func (c *Client) DeleteUser(ctx context.Context, name string, force bool) error {
	return c.change(ctx, http.MethodDelete, forced(userPath(name), force), nil, nil)
}

// SetPassword sets a password. With keepOld, the one before stays valid beside it until
// DropOldPassword.
func (c *Client) SetPassword(ctx context.Context, name, password string, keepOld bool) error {
	return c.change(ctx, http.MethodPut, userPath(name)+"/password", wire.PasswordChange{Password: password, KeepOld: keepOld}, nil)
}

// DropOldPassword ends the password before the last.
func (c *Client) DropOldPassword(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodDelete, userPath(name)+"/password?old=true", nil, nil)
}

// DropPasswords ends all passwords of a user, who has tokens then.
func (c *Client) DropPasswords(ctx context.Context, name string, force bool) error {
	return c.change(ctx, http.MethodDelete, forced(userPath(name)+"/password", force), nil, nil)
}

// AddToken makes a token; its text is in the answer, and cannot be had again.
func (c *Client) AddToken(ctx context.Context, name string, t wire.NewToken) (out wire.Token, err error) {
	return out, c.change(ctx, http.MethodPost, userPath(name)+"/tokens", t, &out)
}

// DropToken ends a token, by its number.
func (c *Client) DropToken(ctx context.Context, name string, id uint64, force bool) error {
	return c.change(ctx, http.MethodDelete, forced(userPath(name)+"/tokens/"+strconv.FormatUint(id, 10), force), nil, nil)
}

// Roles lists roles.
func (c *Client) Roles(ctx context.Context) ([]wire.Role, error) {
	var out wire.Roles
	err := c.get(ctx, "/v1/roles", &out)
	return out.Roles, err
}

// SetRole makes or replaces a role.
func (c *Client) SetRole(ctx context.Context, name string, r wire.RoleChange, force bool) (out wire.Role, err error) {
	return out, c.change(ctx, http.MethodPut, forced(rolePath(name), force), r, &out)
}

// DeleteRole removes a role.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodDelete, rolePath(name), nil, nil)
}
