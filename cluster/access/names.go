package access

// MaxName is the length of the longest name of a user, role, bucket or token.
const MaxName = 64

// ValidName reports whether s can name a user, role, bucket or token: 1 to MaxName
// characters, a letter or digit of ASCII first, then these and any of . _ - @
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-' || c == '@'):
		default:
			return false
		}
	}
	return true
}

func checkName(what, s string) error {
	if !ValidName(s) {
		return invalid("%.80q cannot be the name of a %s: 1 to %d letters, digits and . _ - @, the first a letter or digit", s, what, MaxName)
	}
	return nil
}
