// Package ascii compares words without regard to case the way C does: the 26 letters
// fold, other bytes are themselves. Unicode folding would take a Kelvin sign for a k,
// so that two spellings of one command could pass one check and fail another.
package ascii

// Lower returns c in lower case.
func Lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// Upper returns c in upper case.
func Upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// EqualFold reports whether two words differ in case at most.
func EqualFold[S, T ~string | ~[]byte](s S, t T) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if Lower(s[i]) != Lower(t[i]) {
			return false
		}
	}
	return true
}

// HasWord reports whether arg is word in any case, up to a NUL byte: C strings end
// there.
func HasWord(arg []byte, word string) bool {
	if len(arg) > len(word) && arg[len(word)] == 0 {
		arg = arg[:len(word)]
	}
	return EqualFold(arg, word)
}
