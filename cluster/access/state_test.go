package access

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The life of a few users, change by change.
func TestChanges(t *testing.T) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 1, time.UTC)
	s := State{}
	if !s.IsEmpty() || s.String() != "access.State(0 users, 0 roles, change 0)" {
		t.Error(s)
	}
	step := func(what string, next State, err error, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
		if err != nil && string(next.Encode()) != string(s.Encode()) {
			t.Fatalf("%s: the state has changed, and there is an error", what)
		}
		if err == nil && next.Seq() != s.Seq()+1 {
			t.Fatalf("%s: change %d after %d", what, next.Seq(), s.Seq())
		}
		s = next
	}
	try := func(what string, want error, f func() (State, error)) {
		t.Helper()
		before := string(s.Encode())
		next, err := f()
		if string(s.Encode()) != before {
			t.Fatalf("%s changes the state before", what)
		}
		step(what, next, err, want)
	}
	root := NewUser{Name: "root", Password: hashOf(t, "root password"), Grants: []Grant{{Role: RoleAdmin}}}
	ann := NewUser{Name: "ann", Password: hashOf(t, "ann password"), Grants: []Grant{grant("reader", "orders:*")}, Expires: at}
	_, sum, _ := NewToken(source(1))
	_, sum2, _ := NewToken(source(2))

	try("a first user without rights", ErrLastAdmin, func() (State, error) { return s.AddUser(ann, false) })
	try("a first user without password", ErrLastAdmin, func() (State, error) {
		return s.AddUser(NewUser{Name: "root", Grants: root.Grants}, false)
	})
	try("the first user", nil, func() (State, error) { return s.AddUser(root, false) })
	try("the same", ErrExists, func() (State, error) { return s.AddUser(root, false) })
	try("the second", nil, func() (State, error) { return s.AddUser(ann, false) })
	try("a bad name", ErrInvalid, func() (State, error) { return s.AddUser(NewUser{Name: "a b"}, false) })
	try("no such role", ErrNotFound, func() (State, error) { return s.Grant("ann", Grant{Role: "app"}) })
	try("no such user", ErrNotFound, func() (State, error) { return s.Grant("bob", Grant{Role: "reader"}) })
	try("the same grant", ErrExists, func() (State, error) { return s.Grant("ann", grant("reader", "orders:*")) })
	try("a server role, narrowed", ErrInvalid, func() (State, error) { return s.Grant("ann", grant("operator", "orders:*")) })
	try("a role", nil, func() (State, error) {
		return s.SetRole(Role{"app", Read | Write, []Scope{scope("y:*"), scope("x:a*")}}, false)
	})
	try("a role with a built-in name", ErrInvalid, func() (State, error) {
		return s.SetRole(Role{"reader", AllVerbs, []Scope{Everything()}}, false)
	})
	try("a role without verbs", ErrInvalid, func() (State, error) { return s.SetRole(Role{"r", 0, []Scope{Everything()}}, false) })
	try("a role with unknown verbs", ErrInvalid, func() (State, error) { return s.SetRole(Role{"r", verbEnd, []Scope{Everything()}}, false) })
	try("a role without scopes", ErrInvalid, func() (State, error) { return s.SetRole(Role{"r", Read, nil}, false) })
	try("a role with a scope twice", ErrExists, func() (State, error) {
		return s.SetRole(Role{"r", Read, []Scope{scope("x:*"), scope("x:*")}}, false)
	})
	try("a server role with a scope", ErrInvalid, func() (State, error) { return s.SetRole(Role{"r", Status, []Scope{scope("x:*")}}, false) })
	try("a grant of nothing", ErrInvalid, func() (State, error) { return s.Grant("ann", grant("app", "x:b*")) })
	try("a grant of something", nil, func() (State, error) { return s.Grant("ann", grant("app", "*:ab*")) })
	try("a role that is granted", ErrInUse, func() (State, error) { return s.DeleteRole("app") })
	try("a role that would leave nothing of a grant", ErrInvalid, func() (State, error) {
		return s.SetRole(Role{"app", Read, []Scope{scope("x:b*")}}, false)
	})
	try("revoke another", ErrNotFound, func() (State, error) { return s.Revoke("ann", grant("app", ""), false) })
	try("revoke", nil, func() (State, error) { return s.Revoke("ann", grant("app", "*:ab*"), false) })
	try("the role", nil, func() (State, error) { return s.DeleteRole("app") })
	try("the role again", ErrNotFound, func() (State, error) { return s.DeleteRole("app") })

	try("a token", nil, func() (State, error) { return s.AddToken("ann", "ci", sum, at) })
	try("the same token", ErrInvalid, func() (State, error) { return s.AddToken("root", "ci", sum, at) })
	try("a token without label", ErrInvalid, func() (State, error) { return s.AddToken("root", "", sum2, at) })
	try("no token", ErrInvalid, func() (State, error) { return s.AddToken("root", "ci", TokenSum{}, at) })
	try("an expiry before the epoch", ErrInvalid, func() (State, error) { return s.AddToken("root", "ci", sum2, time.Unix(-1, 0)) })
	try("an expiry after all time", ErrInvalid, func() (State, error) { return s.SetExpires("ann", time.Unix(maxExpires+1, 0), false) })
	want := `[{Name:ann Disabled:false Expires:2026-05-01 00:00:01 +0000 UTC Grants:[reader on orders:*] Passwords:[2] Tokens:[{ID:7 Label:ci Expires:2026-05-01 00:00:01 +0000 UTC Fingerprint:` + sum.Fingerprint() + `}] Admin:false} ` +
		`{Name:root Disabled:false Expires:0001-01-01 00:00:00 +0000 UTC Grants:[admin] Passwords:[1] Tokens:[] Admin:true}]`
	if got := fmt.Sprintf("%+v", s.Users()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	try("another token", ErrNotFound, func() (State, error) { return s.DropToken("ann", 6, false) })
	try("drop the token", nil, func() (State, error) { return s.DropToken("ann", 7, false) })

	try("no old password", ErrNotFound, func() (State, error) { return s.DropOldPassword("ann") })
	try("no hash", ErrInvalid, func() (State, error) { return s.SetPassword("ann", Hash{}, false) })
	try("a second password of another base", ErrInvalid, func() (State, error) { return s.SetPassword("ann", hashOf(t, "second one"), true) })
	try("the same password twice", ErrInvalid, func() (State, error) { return s.SetPassword("ann", hashOf(t, "ann password"), true) })
	try("a rehash of another password", ErrNotFound, func() (State, error) { return s.Rehash("ann", 1, hashOf(t, "ann password")) })
	try("a rehash", nil, func() (State, error) { return s.Rehash("ann", 2, hashOf(t, "ann password")) })
	try("another password", nil, func() (State, error) { return s.SetPassword("ann", hashOf(t, "another one"), false) })

	for what, f := range map[string]func(force bool) (State, error){
		"delete":    func(force bool) (State, error) { return s.DeleteUser("root", force) },
		"disable":   func(force bool) (State, error) { return s.SetDisabled("root", true, force) },
		"expire":    func(force bool) (State, error) { return s.SetExpires("root", at, force) },
		"revoke":    func(force bool) (State, error) { return s.Revoke("root", Grant{Role: RoleAdmin}, force) },
		"passwords": func(force bool) (State, error) { return s.DropPasswords("root", force) },
	} {
		if _, err := f(false); !errors.Is(err, ErrLastAdmin) {
			t.Errorf("%s: %v", what, err)
		}
		if next, err := f(true); err != nil || next.get().hasAdmin() {
			t.Errorf("%s, forced: %v", what, err)
		}
	}
	try("a token for root", nil, func() (State, error) { return s.AddToken("root", "t", sum, time.Time{}) })
	try("root needs no password then", nil, func() (State, error) { return s.DropPasswords("root", false) })
	try("but that token", ErrLastAdmin, func() (State, error) { return s.DropToken("root", s.Users()[1].Tokens[0].ID, false) })
	if _, err := s.PasswordHash("root"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	// Two roles make an administrator as well as one.
	try("half", nil, func() (State, error) { return s.SetRole(Role{"half", AllVerbs &^ Read, []Scope{Everything()}}, false) })
	try("two halves", nil, func() (State, error) {
		return s.AddUser(NewUser{Name: "two", Password: hashOf(t, "two password"), Grants: []Grant{{Role: "half"}, {Role: RoleReader}}}, false)
	})
	try("root can go", nil, func() (State, error) { return s.DeleteUser("root", false) })
	try("a role that makes the administrator", ErrLastAdmin, func() (State, error) {
		return s.SetRole(Role{"half", AllVerbs &^ (Read | Write), []Scope{Everything()}}, false)
	})
	try("the last", ErrLastAdmin, func() (State, error) { return s.DeleteUser("two", false) })
	try("the last, forced", nil, func() (State, error) { return s.DeleteUser("two", true) })
	try("a change without administrators", nil, func() (State, error) { return s.SetDisabled("ann", true, false) })
	try("the end", nil, func() (State, error) { return s.DeleteUser("ann", false) })
	if !s.IsEmpty() {
		t.Error(s)
	}
}

// Each limit, at it and one past it.
func TestStateLimits(t *testing.T) {
	s := withUser(t, withAdmin(t), "ann")
	if _, err := s.Grant("ann", Grant{Role: "reader", On: Scope{"x", strings.Repeat("p", MaxPrefix+1), true}}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	var scopes []Scope
	for i := range MaxScopes {
		scopes = append(scopes, scope(fmt.Sprint("x:", i)))
	}
	for i := range 5 {
		s = must(s.SetRole(Role{fmt.Sprint("full", i), Read, scopes}, false))
	}
	if _, err := s.SetRole(Role{"more", Read, append(scopes, Everything())}, false); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	g := s
	for i := range MaxRights / MaxScopes {
		g = must(g.Grant("ann", Grant{Role: fmt.Sprint("full", i)}))
	}
	if _, err := g.Grant("ann", Grant{Role: "full4"}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	g = s
	for i := range MaxGrants {
		g = must(g.Grant("ann", grant("reader", fmt.Sprint("b:", i))))
	}
	if _, err := g.Grant("ann", Grant{Role: "writer"}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	g = s
	for i := range MaxTokens + 1 {
		_, sum, _ := NewToken(source(uint64(i)))
		next, err := g.AddToken("ann", "t", sum, time.Time{})
		if (err == nil) != (i < MaxTokens) || err != nil && !errors.Is(err, ErrTooLarge) {
			t.Error(i, err)
		}
		g = next
	}
	d := s.get().clone()
	for i := len(d.users); i < MaxUsers; i++ {
		d.users = append(d.users, user{name: fmt.Sprintf("u%04d", i)})
	}
	for i := len(d.roles); i < MaxRoles; i++ {
		d.roles = append(d.roles, Role{fmt.Sprintf("r%04d", i), Read, []Scope{Everything()}})
	}
	d.normalize()
	full := must(DecodeState(State{d}.Encode()))
	if _, err := full.AddUser(NewUser{Name: "z"}, false); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := full.SetRole(Role{"z", Read, []Scope{Everything()}}, false); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	// Long prefixes reach the limit of the encoding before any other.
	long := Role{Name: "long", Verbs: Read}
	for i := range MaxScopes {
		long.Scopes = append(long.Scopes, Scope{"x", fmt.Sprint(i) + strings.Repeat("{", MaxPrefix-2), false})
	}
	var err error
	n := 0
	for ; err == nil && n < 20; n++ {
		long.Name = fmt.Sprint("long", n)
		s, err = s.SetRole(long, false)
	}
	if !errors.Is(err, ErrTooLarge) || len(s.Encode()) > MaxState || n < 4 {
		t.Error(n, err)
	}
	if _, err := DecodeState(s.Encode()); err != nil {
		t.Error(n, err)
	}
}

func TestDecodeState(t *testing.T) {
	text := string(must(os.ReadFile("testdata/state.json")))
	s, err := DecodeState([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != "access.State(2 users, 1 roles, change 9)" {
		t.Error(got)
	}
	plain := string(s.Encode())
	for what, c := range map[string]struct{ old, new string }{
		"nothing":               {plain, ""},
		"cut off":               {`]}`, ``},
		"something behind":      {`]}`, `]} {}`},
		"a later version":       {`"version":1`, `"version":2`},
		"version 0":             {`"version":1`, `"version":0`},
		"no version":            {`"version":1,`, ``},
		"version as text":       {`"version":1`, `"version":"1"`},
		"a fraction":            {`"seq":9`, `"seq":9.0`},
		"an unknown member":     {`"seq":9`, `"seq":9,"extra":1`},
		"in a user":             {`"name":"root"`, `"name":"root","extra":1`},
		"the other case":        {`"users"`, `"Users"`},
		"a member twice":        {`"seq":9`, `"seq":9,"seq":9`},
		"another order":         {`"version":1,"seq":9`, `"seq":9,"version":1`},
		"an escape":             {`"root"`, `"\u0072oot"`},
		"a default in words":    {`"name":"root"`, `"name":"root","disabled":false`},
		"null":                  {`"scopes":["orders:user:*","sessions:*"]`, `"scopes":null`},
		"a user twice":          {`"name":"ann"`, `"name":"root"`},
		"users not in order":    {`"name":"ann"`, `"name":"zed"`},
		"scopes not in order":   {`["orders:user:*","sessions:*"]`, `["sessions:*","orders:user:*"]`},
		"a scope, loosely":      {`"orders:user:*"`, `"orders:\\x75ser:*"`},
		"an unknown verb":       {`"read","write"`, `"read","right"`},
		"verbs not in order":    {`"read","write"`, `"write","read"`},
		"a verb twice":          {`"read","write"`, `"read","read"`},
		"an unknown role":       {`"role":"reader"`, `"role":"readers"`},
		"a role without scopes": {`["orders:user:*","sessions:*"]`, `[]`},
		"a built-in role":       {`"name":"app"`, `"name":"writer"`},
		"a hash":                {`$argon2id`, `$argon2i`},
		"a hash that costs":     {`m=8,`, `m=1000000,`},
		"a sum":                 {`$rwt1$`, `$rwt2$`},
		"a number twice":        {`"id":8`, `"id":1`},
		"a number to come":      {`"id":8`, `"id":10`},
		"number 0":              {`"id":8`, `"id":0`},
		"an expiry before":      {`"expires":1777593600`, `"expires":-1`},
		"a list in its place":   {plain, `[]`},
		"too much":              {`]}`, `]}` + strings.Repeat(" ", 2*MaxState)},
		"too many":              {`]}`, `]}` + strings.Repeat("{}", maxObjects)},
		"a bomb":                {plain, strings.Repeat("[", maxObjects)},
	} {
		bad := strings.Replace(plain, c.old, c.new, 1)
		if bad == plain {
			t.Fatalf("%s changes nothing in %s", what, plain)
		}
		got, err := DecodeState([]byte(bad))
		ok := errors.Is(err, ErrFormat) || strings.HasPrefix(what, "too") && errors.Is(err, ErrTooLarge) || what == "a later version" && errors.Is(err, ErrVersion)
		if !ok || !got.IsEmpty() || strings.Contains(err.Error(), "c29t") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range plain {
		if _, err := DecodeState([]byte(plain[:i])); err == nil {
			t.Errorf("cut off at %d", i)
		}
	}
	// The file as it is, formatted, is what a person may have laid out.
	if text == plain {
		t.Error("testdata is not formatted")
	}
}

// A State is not changed through what it gives out.
func TestStateIsImmutable(t *testing.T) {
	s := matrixState(t)
	before := string(s.Encode())
	for _, u := range s.Users() {
		clear(u.Grants)
		clear(u.Passwords)
	}
	for _, r := range s.Roles() {
		clear(r.Scopes)
	}
	mine := []Scope{scope("a:*"), scope("b:*")}
	changed := must(s.SetRole(Role{"mine", Read, mine}, false))
	clear(mine)
	if string(s.Encode()) != before || !slices.ContainsFunc(changed.Roles(), func(r Role) bool { return r.Name == "mine" && r.Scopes[0] == scope("a:*") }) {
		t.Error("shared")
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(must(os.ReadFile("testdata/state.json")))
	f.Add(matrixState(f).Encode())
	f.Add(State{}.Encode())
	f.Add([]byte(`{"version":1,"seq":0,"users":[{},{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrVersion) || !s.IsEmpty() {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeState(s.Encode())
		if err != nil || string(again.Encode()) != string(s.Encode()) {
			t.Fatal(err)
		}
		p := Compile(s, [16]byte{})
		if p.LoginRequired() == s.IsEmpty() {
			t.Fatal("users, and no login")
		}
	})
}
