package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// stateVersion is the version of the encoding.
const stateVersion = 1

// maxObjects bounds how many objects and lists a State is decoded into, so that a
// megabyte of empty ones does not become a hundred. A valid one takes a dozen bytes, of
// which MaxState holds fewer.
const maxObjects = 1 << 16

// The encoding is JSON in one form: no white space, members in this order, names sorted,
// times in Unix seconds, bytes of scopes escaped to ASCII.
type (
	jsonState struct {
		Version int        `json:"version"`
		Seq     uint64     `json:"seq"`
		Roles   []jsonRole `json:"roles,omitempty"`
		Users   []jsonUser `json:"users,omitempty"`
	}
	jsonRole struct {
		Name   string   `json:"name"`
		Verbs  []string `json:"verbs"`
		Scopes []string `json:"scopes"`
	}
	jsonUser struct {
		Name      string         `json:"name"`
		Disabled  bool           `json:"disabled,omitempty"`
		Expires   int64          `json:"expires,omitempty"`
		Grants    []jsonGrant    `json:"grants,omitempty"`
		Passwords []jsonPassword `json:"passwords,omitempty"`
		Tokens    []jsonToken    `json:"tokens,omitempty"`
	}
	jsonGrant struct {
		Role string `json:"role"`
		On   string `json:"on,omitempty"`
	}
	jsonPassword struct {
		ID   uint64 `json:"id"`
		Hash string `json:"hash"`
	}
	jsonToken struct {
		ID      uint64 `json:"id"`
		Label   string `json:"label"`
		Sum     string `json:"sum"`
		Expires int64  `json:"expires,omitempty"`
	}
)

// Encode returns the State as JSON, at most MaxState bytes. Equal States have equal
// encodings. It contains the hashes of passwords: keep it where only the server reads.
func (s State) Encode() []byte { return s.get().encode() }

func (d *data) encode() []byte {
	j := jsonState{Version: stateVersion, Seq: d.seq}
	for _, r := range d.roles {
		jr := jsonRole{Name: r.Name, Verbs: r.Verbs.Names()}
		for _, s := range r.Scopes {
			jr.Scopes = append(jr.Scopes, s.String())
		}
		j.Roles = append(j.Roles, jr)
	}
	for _, u := range d.users {
		ju := jsonUser{Name: u.name, Disabled: u.disabled, Expires: u.expires}
		for _, g := range u.grants {
			ju.Grants = append(ju.Grants, jsonGrant{g.Role, g.On.String()})
		}
		for _, p := range u.passwords {
			ju.Passwords = append(ju.Passwords, jsonPassword{p.id, p.hash.Encode()})
		}
		for _, t := range u.tokens {
			ju.Tokens = append(ju.Tokens, jsonToken{t.id, t.label, t.sum.encode(), t.expires})
		}
		j.Users = append(j.Users, ju)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		panic("access: " + err.Error()) // there is nothing in it that cannot be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// DecodeState reads what Encode has written, white space added or not. Everything else is
// refused: members that are unknown, twice or in another order, and whatever no change
// could have led to, but for a State without administrator, which one can force. The
// errors are ErrVersion, ErrFormat and ErrTooLarge; none contains a hash.
func DecodeState(b []byte) (State, error) {
	if len(b) > 2*MaxState {
		return State{}, fmt.Errorf("%w: %d bytes of users and roles, %d are possible", ErrTooLarge, len(b), MaxState)
	}
	if n := countObjects(b); n > maxObjects {
		return State{}, fmt.Errorf("%w: %d objects and lists", ErrTooLarge, n)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return State{}, jsonError(err)
	}
	if head.Version > stateVersion {
		return State{}, fmt.Errorf("%w: %d, this is %d", ErrVersion, head.Version, stateVersion)
	}
	var j jsonState
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return State{}, jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF || j.Version != stateVersion {
		return State{}, malformed("version %d, or something behind the end", j.Version)
	}
	d, err := j.data()
	if err != nil {
		return State{}, asFormat(err)
	}
	if err := d.validate(); err != nil {
		return State{}, asFormat(err)
	}
	var plain bytes.Buffer
	if err := json.Compact(&plain, b); err != nil {
		return State{}, jsonError(err)
	}
	if text := d.encode(); len(text) > MaxState || !bytes.Equal(plain.Bytes(), text) {
		return State{}, malformed("the state is not in the form that it is written in")
	}
	return State{d}, nil
}

// countObjects counts the brackets that open, outside of strings.
func countObjects(b []byte) (n int) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case !quoted && (c == '{' || c == '['):
			n++
		}
	}
	return n
}

// asFormat keeps ErrTooLarge and makes ErrFormat of all that a State breaks by its
// content.
func asFormat(err error) error {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFormat) {
		return err
	}
	return malformed("%v", err)
}

// jsonError leaves out what the text of the library's errors may quote from the input.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return malformed("no JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return malformed("a wrong type at byte %d", kind.Offset)
	}
	return malformed("JSON with unknown members, or cut off")
}

func (j *jsonState) data() (*data, error) {
	d := &data{seq: j.Seq}
	for _, jr := range j.Roles {
		r := Role{Name: jr.Name}
		for _, name := range jr.Verbs {
			v, err := ParseVerb(name)
			if err != nil {
				return nil, err
			}
			r.Verbs |= v
		}
		for _, text := range jr.Scopes {
			s, err := ParseScope(text)
			if err != nil {
				return nil, err
			}
			r.Scopes = append(r.Scopes, s)
		}
		d.roles = append(d.roles, r)
	}
	for _, ju := range j.Users {
		u, err := ju.user()
		if err != nil {
			return nil, err
		}
		d.users = append(d.users, u)
	}
	return d, nil
}

func (j *jsonUser) user() (user, error) {
	u := user{name: j.Name, disabled: j.Disabled, expires: j.Expires}
	for _, jg := range j.Grants {
		g := Grant{Role: jg.Role}
		if jg.On != "" {
			s, err := ParseScope(jg.On)
			if err != nil {
				return u, err
			}
			g.On = s
		}
		u.grants = append(u.grants, g)
	}
	for _, jp := range j.Passwords {
		h, err := ParseHash(jp.Hash)
		if err != nil {
			return u, err
		}
		u.passwords = append(u.passwords, password{jp.ID, h})
	}
	for _, jt := range j.Tokens {
		s, err := parseTokenSum(jt.Sum)
		if err != nil {
			return u, err
		}
		u.tokens = append(u.tokens, token{jt.ID, jt.Label, s, jt.Expires})
	}
	return u, nil
}
