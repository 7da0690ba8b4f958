package access

import (
	"fmt"
	"io"
	"log/slog"
)

const masked = "[secret]"

// Secret is a password or token as text. It can be printed, logged and marshalled
// without showing it, also as a field of something else; Reveal alone shows it. The zero
// Secret is empty.
type Secret struct {
	text *string // a pointer to a text, which fmt never follows
}

// NewSecret returns a Secret with that text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty reports whether there is no text.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

// The methods by which values are printed show nothing.

func (s Secret) String() string               { return masked }
func (s Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, masked) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(masked) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

func (h Hash) String() string               { return masked }
func (h Hash) Format(f fmt.State, _ rune)   { io.WriteString(f, masked) }
func (h Hash) LogValue() slog.Value         { return slog.StringValue(masked) }
func (h Hash) MarshalText() ([]byte, error) { return []byte(masked), nil }

func (s TokenSum) String() string               { return masked }
func (s TokenSum) Format(f fmt.State, _ rune)   { io.WriteString(f, masked) }
func (s TokenSum) LogValue() slog.Value         { return slog.StringValue(masked) }
func (s TokenSum) MarshalText() ([]byte, error) { return []byte(masked), nil }

// A State, Policy or Principal prints as a summary. A State does not marshal: something
// that contains one must keep what Encode returns, or the users would be lost.

func (s State) String() string {
	return fmt.Sprintf("access.State(%d users, %d roles, change %d)", len(s.get().users), len(s.get().roles), s.get().seq)
}
func (s State) Format(f fmt.State, _ rune)   { io.WriteString(f, s.String()) }
func (s State) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s State) MarshalText() ([]byte, error) { return nil, invalid("a State is written by Encode") }

func (p *Policy) String() string {
	if p == nil {
		return "access.Policy(nil)"
	}
	return fmt.Sprintf("access.Policy(%d users)", len(p.users))
}
func (p *Policy) Format(f fmt.State, _ rune)   { io.WriteString(f, p.String()) }
func (p *Policy) LogValue() slog.Value         { return slog.StringValue(p.String()) }
func (p *Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p *Principal) String() string {
	if p == nil {
		return "(nobody)"
	}
	return p.name
}
func (p *Principal) Format(f fmt.State, _ rune)   { io.WriteString(f, p.String()) }
func (p *Principal) LogValue() slog.Value         { return slog.StringValue(p.String()) }
func (p *Principal) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
