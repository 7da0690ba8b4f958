package access

import (
	"fmt"
	"strings"
	"testing"
)

// matrixActors are the rows of the matrix: who has which grants.
var matrixActors = map[string][]oracleGrant{
	"nobody":              nil,
	"reader":              {{"reader", ""}},
	"writer":              {{"writer", ""}},
	"operator":            {{"operator", ""}},
	"admin":               {{"admin", ""}},
	"reader-of-orders":    {{"reader", "orders:*"}},
	"writer-of-users":     {{"writer", "orders:user:*"}},
	"writer-of-tmp":       {{"writer", "*:tmp:*"}},
	"app":                 {{"app", ""}},
	"app-narrowed":        {{"app", "orders:user:1*"}},
	"app-narrowed-to-key": {{"app", "*:user:1"}},
	"config":              {{"config", ""}},
	"binary":              {{"binary", ""}},
	"star":                {{"star", ""}},
	"reader-and-cleaner":  {{"reader", ""}, {"cleaner", ""}},
	"operator-and-writer": {{"operator", ""}, {"writer", "sessions:*"}},
	"split":               {{"config", ""}, {"app", ""}, {"reader", "orders:use*"}},
	"watcher":             {{"watcher", ""}},
}

func matrixRoles() map[string]oracleRole {
	roles := oracleRoles()
	roles["app"] = oracleRole{"read write", `orders:user:* sessions:*`}
	roles["config"] = oracleRole{"read delete", `orders:config`}
	roles["binary"] = oracleRole{"read write delete scan", `orders:\xff\x00* *:\x20`}
	roles["star"] = oracleRole{"read scan", `orders:\** sessions:a\\b`}
	roles["cleaner"] = oracleRole{"delete", `*:tmp:*`}
	roles["watcher"] = oracleRole{"status admin-users read", `*:*`}
	return roles
}

var matrixKeys = []string{
	"", "u", "use", "user:", "user:1", "user:12", "user:2", "USER:1", "config", "config2", "confi", "tmp:", "tmp:x", "xtmp:",
	"\xff", "\xff\x00", "\xff\x00z", " ", "*", "*x", `a\b`, `a\bc`,
}

// matrixState is the State of the texts.
func matrixState(t testing.TB) State {
	t.Helper()
	s := withAdmin(t)
	for name, r := range matrixRoles() {
		if _, builtin := builtinRole(name); builtin {
			continue
		}
		role := Role{Name: name}
		for _, v := range strings.Fields(r.verbs) {
			role.Verbs |= must(ParseVerb(v))
		}
		for _, text := range strings.Fields(r.scopes) {
			role.Scopes = append(role.Scopes, scope(text))
		}
		s = must(s.SetRole(role, false))
	}
	for name, grants := range matrixActors {
		var g []Grant
		for _, o := range grants {
			g = append(g, grant(o.role, o.on))
		}
		s = withUser(t, s, name, g...)
	}
	return s
}

// Each verb and pair of verbs, by each actor, on each key of each bucket, held against
// the oracle.
func TestMatrix(t *testing.T) {
	s, roles := matrixState(t), matrixRoles()
	s = must(DecodeState(s.Encode())) // as another node would have it
	var sets [][]string
	for i, a := range verbNames {
		sets = append(sets, []string{a})
		for _, b := range verbNames[i+1:] {
			sets = append(sets, []string{a, b})
		}
	}
	cells, allowed := 0, 0
	for name, grants := range matrixActors {
		p := principal(t, s, name)
		for _, set := range sets {
			var verbs Verb
			for _, v := range set {
				verbs |= must(ParseVerb(v))
			}
			for _, bucket := range []string{"orders", "sessions", "elsewhere"} {
				for _, key := range matrixKeys {
					cells++
					want := oracleAllowsSet(roles, grants, set, bucket, key)
					if want {
						allowed++
					}
					if got := p.Allow(verbs, bucket, []byte(key)); got != want {
						t.Errorf("%s: %v on %s:%q is %v, the oracle says %v", name, verbs, bucket, key, got, want)
					}
				}
			}
		}
	}
	t.Logf("%d cells, %d of them allowed", cells, allowed)
	if cells < 500 || allowed < cells/20 || allowed > cells*19/20 {
		t.Error("the matrix says too little")
	}
}

// What nobody may do.
func TestAllowEdges(t *testing.T) {
	s := matrixState(t)
	var nobody *Principal
	admin := principal(t, s, "admin")
	for _, c := range []struct {
		p     *Principal
		verbs Verb
		want  bool
	}{
		{nobody, Read, false}, {nobody, 0, false}, {nobody, Status, false},
		{admin, 0, false}, {admin, AllVerbs, true}, {admin, verbEnd, false}, {admin, Read | verbEnd, false}, {admin, 1 << 31, false},
		{principal(t, s, "operator"), Status | AdminCluster, true}, {principal(t, s, "operator"), Status | Read, false},
		{principal(t, s, "operator-and-writer"), Status | Read, false}, // not on a key of orders
	} {
		if got := c.p.Allow(c.verbs, "orders", []byte("k")); got != c.want {
			t.Errorf("%v: %v is %v", c.p, c.verbs, got)
		}
		if got := c.p.Cover(c.verbs, "orders", []byte("k")) == All; got != c.want {
			t.Errorf("%v: cover %v is %v", c.p, c.verbs, got)
		}
	}
	if !principal(t, s, "operator-and-writer").Allow(Status|Read, "sessions", nil) {
		t.Error("verbs of two roles do not add up")
	}
	if nobody.Name() != "" || nobody.Credential() != 0 || nobody.Outdated() || len(nobody.Filter(Read, "orders", bytesOf("k"))) != 0 || nobody.AllowAll([]Need{{Read, "orders", nil}}) != 0 {
		t.Error("nil is somebody")
	}
}

func TestMany(t *testing.T) {
	s := matrixState(t)
	p := principal(t, s, "split")
	needs := []Need{{Read, "orders", []byte("config")}, {Read | Write, "orders", []byte("user:1")}, {Scan, "orders", []byte("use")}}
	if i := p.AllowAll(needs); i != -1 {
		t.Error(i)
	}
	if i := p.AllowAll(append(needs, Need{Delete, "orders", []byte("user:1")})); i != 3 {
		t.Error(i)
	}
	if i := p.AllowAll(nil); i != -1 {
		t.Error(i)
	}
	keys := bytesOf("config", "user:1", "x", "user:2", "use", "")
	if !p.AllowKeys(Read, "orders", keys[:2]) || p.AllowKeys(Read, "orders", keys) || p.AllowKeys(Read, "elsewhere", keys[:1]) {
		t.Error("AllowKeys")
	}
	if got := p.Filter(Read, "orders", keys); !equalKeys(got, bytesOf("config", "user:1", "user:2", "use")) {
		t.Errorf("%q", got)
	}
}

func TestCover(t *testing.T) {
	s := matrixState(t)
	for _, c := range []struct {
		who, bucket, prefix string
		verbs               Verb
		want                Coverage
	}{
		{"admin", "orders", "", AllVerbs, All},
		{"reader", "orders", "", Scan, All},
		{"reader", "orders", "", Scan | Delete, None},
		{"reader-of-orders", "orders", "", Scan, All},
		{"reader-of-orders", "sessions", "", Scan, None},
		{"writer-of-users", "orders", "", Scan, Some},
		{"writer-of-users", "orders", "us", Scan, Some},
		{"writer-of-users", "orders", "user:", Scan, All},
		{"writer-of-users", "orders", "user:7", Delete, All},
		{"writer-of-users", "orders", "userx", Scan, None},
		{"writer-of-tmp", "anything", "", Delete, Some},
		{"writer-of-tmp", "anything", "tmp:1", Delete, All},
		{"config", "orders", "", Read, Some},
		{"config", "orders", "config", Read, Some}, // one key is not all with that prefix
		{"config", "orders", "config2", Read, None},
		{"config", "orders", "", Read | Write, None},
		{"split", "orders", "user:", Read | Scan, All},
		{"split", "orders", "user:", Read | Scan | Write, All},
		{"split", "orders", "us", Read | Scan | Write, Some},
		{"split", "orders", "", Delete | Write, None}, // each somewhere, never both
		{"operator", "orders", "", Status, All},
		{"nobody", "orders", "", Read, None},
	} {
		if got := principal(t, s, c.who).Cover(c.verbs, c.bucket, []byte(c.prefix)); got != c.want {
			t.Errorf("%s: %v under %s:%s is %v, not %v", c.who, c.verbs, c.bucket, c.prefix, got, c.want)
		}
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	s := matrixState(t)
	pol := Compile(s, [16]byte{})
	key, bucket := []byte("user:1"), strings.Clone("orders")
	needs := []Need{{Read, "orders", key}, {Write, "orders", key}}
	keys := bytesOf("user:1", "x")
	for _, who := range []string{"split", "admin", "binary", "nobody"} {
		p := pol.Refresh(principal(t, s, who), now)
		if n := testing.AllocsPerRun(100, func() {
			p = pol.Refresh(p, now)
			p.Allow(Read|Write, bucket, key)
			p.Cover(Scan, bucket, key[:3])
			p.AllowAll(needs)
			p.AllowKeys(Read, bucket, keys)
			p.Filter(Read, bucket, keys)
		}); n != 0 {
			t.Errorf("%s: %v allocations", who, n)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	s := matrixState(b)
	many := Role{Name: "many", Verbs: Read}
	for i := range MaxScopes {
		many.Scopes = append(many.Scopes, scope(fmt.Sprintf("orders:tenant:%02d:*", i)))
	}
	s = withUser(b, must(s.SetRole(many, false)), "many", Grant{Role: "many"})
	for _, who := range []string{"admin", "reader-of-orders", "split", "many"} {
		b.Run("user="+who, func(b *testing.B) {
			p, key := principal(b, s, who), []byte("tenant:63:1234")
			b.ReportAllocs()
			for b.Loop() {
				p.Allow(Read, "orders", key)
			}
		})
	}
}
