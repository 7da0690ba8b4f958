package wire

// parseInline takes a line of words. A line without any is passed over.
func (r *Reader) parseInline() bool {
	line, ok := r.line('\n', errInline)
	if !ok {
		return false
	}
	size := len(line) + 1
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	r.base = r.pos
	if !r.split(line) {
		return r.fail(errQuotes)
	}
	r.pos += size
	r.searched = 0
	r.whole = len(r.spans) > 0
	return true
}

// split finds the words of a line, which begins at base, and takes their quotes off in
// place. Between double quotes a backslash begins an escape: \n, \r, \t, \b, \a, \xhh,
// or the next byte itself. Between single quotes it protects a single quote only. A
// closing quote ends the word and must be followed by a space or nothing.
func (r *Reader) split(line []byte) bool {
	for in := 0; ; {
		for in < len(line) && isSpace(line[in]) {
			in++
		}
		if in == len(line) {
			return true
		}
		start := in
		out, next, ok := unquote(line, in)
		if !ok {
			return false
		}
		r.spans = append(r.spans, span{uint32(start), uint32(out - start)})
		in = next
	}
}

// unquote rewrites the word that begins at in to line[in:out] and returns where to go
// on. It never writes beyond what it has read.
func unquote(line []byte, in int) (out, next int, ok bool) {
	out = in
	for in < len(line) {
		c := line[in]
		in++
		switch c {
		case ' ', '\n', '\r', '\t':
			return out, in, true
		case '"', '\'':
			if out, in, ok = unquoteTo(c, line, out, in); !ok {
				return 0, 0, false
			}
			return out, in, in == len(line) || isSpace(line[in])
		}
		line[out] = c
		out++
	}
	return out, in, true
}

// unquoteTo copies to out what stands from in to the closing quote, and returns the
// positions behind both. It is not ok without a closing quote.
func unquoteTo(quote byte, line []byte, out, in int) (_, _ int, ok bool) {
	for in < len(line) {
		c := line[in]
		in++
		switch {
		case c == quote:
			return out, in, true
		case c != '\\' || in == len(line):
		case quote == '\'':
			if line[in] == '\'' {
				c = '\''
				in++
			}
		case line[in] == 'x' && in+2 < len(line) && isHex(line[in+1]) && isHex(line[in+2]):
			c = hexValue(line[in+1])<<4 | hexValue(line[in+2])
			in += 3
		default:
			c = unescape(line[in])
			in++
		}
		line[out] = c
		out++
	}
	return 0, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
