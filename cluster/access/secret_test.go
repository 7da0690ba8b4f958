package access

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Nothing that is printed, logged or marshalled shows a secret, by itself, in something
// else, or behind a pointer, whatever the verb.
func TestNothingIsShown(t *testing.T) {
	const canary = "canary-password"
	s := withUser(t, withAdmin(t), "ann", Grant{Role: RoleReader})
	hash := hashOf(t, canary)
	s = must(s.SetPassword("ann", hash, false))
	token, sum, _ := NewToken(source(1))
	s = must(s.AddToken("ann", "ci", sum, time.Time{}))
	door, pol := newDoor(t), Compile(s, [16]byte{})
	p := must(door.Login(context.Background(), pol, home, "ann", NewSecret(canary), now))
	_, wrong := door.Login(context.Background(), pol, home, "ann", NewSecret("wrong "+canary), now)
	_, noHash := ParseHash(hash.Encode() + "$")
	_, noState := DecodeState(append(s.Encode(), s.Encode()...))
	_, badState := DecodeState(bytes.Replace(s.Encode(), []byte("m=8"), []byte("m=9999999"), 1))
	_, short := newCheap(t).Hash(context.Background(), NewSecret("c4n4ry"), make([]byte, saltLen))

	encoded := strings.Split(hash.Encode(), "$")
	secrets := []string{canary, "c4n4ry", token.Reveal(), encoded[4], encoded[5], sum.encode(), fmt.Sprint(hash.d.sum), fmt.Sprint(sum.d.sumBytes[:]), fmt.Sprintf("%x", hash.d.sum), fmt.Sprintf("%x", sum.d.sumBytes[:])}

	type wrapped struct {
		Public any
		hidden any
		Map    map[string]any
		List   []any
	}
	type typed struct {
		S Secret
		H Hash
		T TokenSum
		s Secret
		h Hash
		t TokenSum
		u State
		p *Policy
		w *Principal
	}
	values := map[string]any{
		"secret": NewSecret(canary), "token": token, "hash": hash, "sum": sum, "state": s, "policy": pol, "principal": p, "users": s.Users(), "door": door,
		"wrong": wrong, "noHash": noHash, "noState": noState, "badState": badState, "short": short,
		"typed": typed{NewSecret(canary), hash, sum, token, hash, sum, s, pol, p}, "typed pointer": &typed{s: token, h: hash, u: s},
		"new user": NewUser{Name: "bob", Password: hash}, "pointer": func() any { x := NewSecret(canary); return &x }(),
	}
	for name, v := range values {
		for _, v := range []any{v, wrapped{v, v, map[string]any{"k": v}, []any{v}}, &wrapped{Public: v, hidden: v}, []any{v}} {
			var shown []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t", "%U", "%08v", "%-20s"} {
				shown = append(shown, fmt.Sprintf(verb, v))
			}
			shown = append(shown, fmt.Sprint(v), fmt.Sprintln(v), fmt.Errorf("wrapped: %v", v).Error())
			for _, options := range []*slog.HandlerOptions{nil, {AddSource: true}} {
				var b bytes.Buffer
				for _, h := range []slog.Handler{slog.NewTextHandler(&b, options), slog.NewJSONHandler(&b, options)} {
					l := slog.New(h)
					l.Info("x", "v", v)
					l.With("v", v).WithGroup("g").Warn("x", slog.Group("g", "v", v), slog.Any("w", v))
				}
				shown = append(shown, b.String())
			}
			if j, err := json.Marshal(v); err == nil {
				shown = append(shown, string(j))
			} else {
				shown = append(shown, err.Error())
			}
			if x, err := xml.Marshal(v); err == nil {
				shown = append(shown, string(x))
			}
			for _, text := range shown {
				for _, secret := range secrets {
					if strings.Contains(text, secret) {
						t.Errorf("%s shows %q: %.200s", name, secret, text)
					}
				}
			}
		}
	}

	// The test sees what it looks for.
	if shown := fmt.Sprintf("%+v", struct{ x string }{canary}); !strings.Contains(shown, canary) {
		t.Error("nothing is ever seen")
	}
	if b, err := json.Marshal(s); err == nil || !errors.Is(err, ErrInvalid) {
		t.Errorf("a State is marshalled without its users: %s", b)
	}
	if b := must(json.Marshal(NewSecret(canary))); string(b) != `"[secret]"` {
		t.Errorf("%s", b)
	}
	if NewSecret(canary).Reveal() != canary || !(Secret{}).IsEmpty() || (Secret{}).String() != masked {
		t.Error("Secret")
	}
}
