package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

const usersHelp = `Usage: kvctl users list
       kvctl users show NAME
       kvctl users add NAME [--grant ROLE[=SCOPE]]… [--new-password-file FILE]
       kvctl users alter NAME [--grant ROLE[=SCOPE]]… [--disable|--enable] [--expires WHEN]
       kvctl users password NAME --new-password-file FILE [--keep-old] | --drop-old
       kvctl users drop NAME

Without users, everybody on the machine of the node may do everything. The first user has
to have the role admin, and from then on everybody logs in. There are the roles reader,
writer, operator (runs the node, sees no data) and admin, and those of kvctl roles. A grant
is narrowed by a scope, BUCKET:PREFIX* or BUCKET:KEY. --grant in alter replaces all
grants. A new password is the one line of a file that nobody else can read, or of stdin
for -. --keep-old leaves the old password valid beside the new one until --drop-old.

Examples:
  kvctl users add admin --grant admin --new-password-file admin.password
  kvctl users add app --grant 'writer=orders:*' --grant 'reader=*:public/*'
  (umask 077; kvctl tokens add app --label web > app.token)
  kvctl users list --json | jq -r .users[].name
`

const rolesHelp = `Usage: kvctl roles list
       kvctl roles set NAME --verb VERB… [--scope SCOPE]…
       kvctl roles drop NAME

A role is verbs on keys. Verbs on keys are read, write, delete and scan; those on the node as a
whole status, admin-clients, admin-config, admin-maintain, admin-buckets, admin-cluster
and admin-users. A scope is BUCKET:PREFIX* or BUCKET:KEY; *:*, everything, unless said. set
makes a role or replaces it, for all who have it.

Examples:
  kvctl roles set auditor --verb read,scan --scope 'orders:2026/*'
  kvctl roles set metrics --verb status
  kvctl roles list --json
`

const tokensHelp = `Usage: kvctl tokens add USER [--label TEXT] [--expires WHEN]
       kvctl tokens drop USER ID

A token is a password without a name, for programs: Authorization: Bearer TOKEN over HTTP,
AUTH TOKEN over RESP. add prints it, and it can be had at no other time. kvctl users show
lists the tokens of a user with their IDs.

Examples:
  (umask 077; kvctl tokens add app --label web --expires 2160h > app.token)
  kvctl status --token-file app.token
  kvctl tokens drop app 3 --json
`

const expiresHelp = "when it ends: a time from now, like 720h, or a moment, like 2027-01-31T00:00:00Z, or never"

func userCommands() []command {
	force := func(c *call, set *pflag.FlagSet) {
		set.BoolVar(&c.node.force, "force", false, "do it though nobody could administer users afterwards")
	}
	grants := func(c *call, set *pflag.FlagSet) {
		set.StringArrayVar(&c.node.grants, "grant", nil, "a role, and the keys it is narrowed to: ROLE or ROLE=SCOPE; may be given several times")
		set.StringVar(&c.node.expires, "expires", "", expiresHelp)
		force(c, set)
	}
	password := func(c *call, set *pflag.FlagSet) {
		set.StringVar(&c.node.secret, "new-password-file", "", "file with the new password, or - for stdin")
	}
	group := func(help string, all ...command) []command {
		for i := range all {
			all[i].help, all[i].online = help, true
		}
		return all
	}
	all := group(usersHelp,
		command{name: "users list", short: "all users", run: listUsers},
		command{name: "users show", args: "NAME", short: "one user with grants and tokens", run: showUser},
		command{name: "users add", args: "NAME", short: "make a user", run: addUser,
			flags: func(c *call, set *pflag.FlagSet) { grants(c, set); password(c, set) }},
		command{name: "users alter", args: "NAME", short: "change a user", run: alterUser,
			flags: func(c *call, set *pflag.FlagSet) {
				grants(c, set)
				set.BoolVar(&c.node.disable, "disable", false, "let nobody log in as this user")
				set.BoolVar(&c.node.enable, "enable", false, "let people log in again")
			}},
		command{name: "users password", args: "NAME", short: "set a password", run: setPassword,
			flags: func(c *call, set *pflag.FlagSet) {
				password(c, set)
				set.BoolVar(&c.node.keepOld, "keep-old", false, "the old password stays valid beside the new one")
				set.BoolVar(&c.node.dropOld, "drop-old", false, "end the old password that was kept")
			}},
		command{name: "users drop", args: "NAME", short: "remove a user", run: dropUser, flags: force},
	)
	all = append(all, group(rolesHelp,
		command{name: "roles list", short: "all roles", run: listRoles},
		command{name: "roles set", args: "NAME", short: "make or replace a role", run: setRole,
			flags: func(c *call, set *pflag.FlagSet) {
				set.StringSliceVar(&c.node.verbs, "verb", nil, "what may be done; may be given several times")
				set.StringArrayVar(&c.node.scopes, "scope", nil, "to which keys; may be given several times; default *:*")
				force(c, set)
			}},
		command{name: "roles drop", args: "NAME", short: "remove a role", run: dropRole},
	)...)
	return append(all, group(tokensHelp,
		command{name: "tokens add", args: "USER", short: "make a token", run: addToken,
			flags: func(c *call, set *pflag.FlagSet) {
				set.StringVar(&c.node.label, "label", "kvctl", "what it is for, in a word")
				set.StringVar(&c.node.expires, "expires", "", expiresHelp)
			}},
		command{name: "tokens drop", args: "USER ID", short: "end a token", run: dropToken, flags: force},
	)...)
}

// moment reads what --expires says.
func moment(text string) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(d).Round(time.Second).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--expires %q: it is %s", text, expiresHelp)
}

// userChange has what the flags say.
func (c *call) userChange() (u wire.UserChange, err error) {
	if c.changed("grant") {
		all := []wire.Grant{}
		for _, text := range c.node.grants {
			if text == "" {
				continue // --grant "" takes all of them away
			}
			role, on, _ := strings.Cut(text, "=")
			all = append(all, wire.Grant{Role: role, On: on})
		}
		u.Grants = &all
	}
	if c.changed("expires") {
		t, err := moment(c.node.expires)
		if err != nil {
			return u, err
		}
		u.Expires = &t
	}
	if c.node.disable && c.node.enable {
		return u, usage("--disable and --enable at once")
	}
	if c.node.disable || c.node.enable {
		u.Disabled = &c.node.disable
	}
	return u, nil
}

func listUsers(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	all, err := node.Users(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(wire.Users{Users: all})
	}
	if len(all) == 0 {
		fmt.Fprintln(c.errs, "kvctl: there are no users: everybody on the machine of the node may do everything; kvctl users --help tells how to begin")
		return nil
	}
	t := c.table("USER", "GRANTS", "PASSWORDS", "TOKENS", "EXPIRES", "STATE")
	for _, u := range all {
		t.row(u.Name, grantsOf(u.Grants), strconv.Itoa(u.Passwords), strconv.Itoa(len(u.Tokens)), ago(u.Expires), stateOf(&u))
	}
	return t.flush()
}

func stateOf(u *wire.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Admin:
		return "administrator"
	}
	return "active"
}

func grantsOf(all []wire.Grant) string {
	var list []string
	for _, g := range all {
		if g.On != "" {
			g.Role += "=" + g.On
		}
		list = append(list, g.Role)
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, " ")
}

func (c *call) showUser(u *wire.User) error {
	if c.json {
		return c.encode(u)
	}
	t := c.table("user", u.Name)
	t.row("state", stateOf(u))
	t.row("grants", grantsOf(u.Grants))
	t.row("passwords", strconv.Itoa(u.Passwords))
	t.row("expires", ago(u.Expires))
	for _, k := range u.Tokens {
		t.row("token "+strconv.FormatUint(k.ID, 10), show([]byte(k.Label))+", expires "+ago(k.Expires)+", fingerprint "+k.Fingerprint)
	}
	return t.flush()
}

func showUser(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	u, err := node.User(ctx, c.arg(0))
	if err != nil {
		return err
	}
	return c.showUser(&u)
}

func addUser(c *call) error {
	change, err := c.userChange()
	if err != nil {
		return err
	}
	if c.node.secret != "" {
		password, err := c.newPassword(c.node.secret)
		if err != nil {
			return err
		}
		change.Password = &password
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	u, err := node.CreateUser(ctx, c.arg(0), change, c.node.force)
	if err != nil {
		return err
	}
	return c.showUser(&u)
}

func alterUser(c *call) error {
	change, err := c.userChange()
	if err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	u, err := node.ChangeUser(ctx, c.arg(0), change, c.node.force)
	if err != nil {
		return err
	}
	return c.showUser(&u)
}

func setPassword(c *call) error {
	if (c.node.secret == "") == !c.node.dropOld {
		return usage("give either --new-password-file or --drop-old")
	}
	password := ""
	if c.node.secret != "" {
		var err error
		if password, err = c.newPassword(c.node.secret); err != nil {
			return err
		}
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if c.node.dropOld {
		if err := node.DropOldPassword(ctx, c.arg(0)); err != nil {
			return err
		}
		return c.done("the old password of %s is gone", c.arg(0))
	}
	if err := node.SetPassword(ctx, c.arg(0), password, c.node.keepOld); err != nil {
		return err
	}
	return c.done("the password of %s is set", c.arg(0))
}

func dropUser(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.DeleteUser(ctx, c.arg(0), c.node.force); err != nil {
		return err
	}
	return c.done("user %s is gone", c.arg(0))
}

func listRoles(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	all, err := node.Roles(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(wire.Roles{Roles: all})
	}
	t := c.table("ROLE", "VERBS", "SCOPES", "")
	for _, r := range all {
		builtin := ""
		if r.Builtin {
			builtin = "always there"
		}
		t.row(r.Name, strings.Join(r.Verbs, ","), strings.Join(r.Scopes, " "), builtin)
	}
	return t.flush()
}

func setRole(c *call) error {
	if len(c.node.verbs) == 0 {
		return usage("a role needs verbs: --verb read,scan for example")
	}
	scopes := c.node.scopes
	if len(scopes) == 0 {
		scopes = []string{"*:*"}
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	r, err := node.SetRole(ctx, c.arg(0), wire.RoleChange{Verbs: c.node.verbs, Scopes: scopes}, c.node.force)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(r)
	}
	return c.done("role %s: %s on %s", r.Name, strings.Join(r.Verbs, ","), strings.Join(r.Scopes, " "))
}

func dropRole(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.DeleteRole(ctx, c.arg(0)); err != nil {
		return err
	}
	return c.done("role %s is gone", c.arg(0))
}

// addToken prints the token alone, so that it can go into a file.
func addToken(c *call) error {
	in := wire.NewToken{Label: c.node.label}
	if c.changed("expires") {
		t, err := moment(c.node.expires)
		if err != nil {
			return err
		}
		in.Expires = t
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	k, err := node.AddToken(ctx, c.arg(0), in)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(k)
	}
	if isTerminal(c.out) {
		fmt.Fprintf(c.errs, "token %d of %s, which is shown this once:\n", k.ID, c.arg(0))
	}
	_, err = fmt.Fprintln(c.out, k.Token)
	return err
}

func dropToken(c *call) error {
	id, err := strconv.ParseUint(c.arg(1), 10, 64)
	if err != nil {
		return usage("%q is no ID of a token; kvctl users show %s lists them", c.arg(1), c.arg(0))
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.DropToken(ctx, c.arg(0), id, c.node.force); err != nil {
		return err
	}
	return c.done("token %d of %s is gone", id, c.arg(0))
}
