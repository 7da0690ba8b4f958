package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// protect sets the headers that keep a browser from doing anything with an answer but
// show it to whom it belongs.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// guard judges where a request comes from, before anything else about it.
func (c *call) guard() error {
	r := c.r
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.addr = from.Addr().Unmap()
	}
	if !c.set.hostAllowed(r.Host) {
		return wire.Errorf(wire.HostDenied, "%.100q is not a name of this server", r.Host).
			WithHint("use its IP address, or let the operator add the name to http-allowed-hosts")
	}
	return c.guardOrigin()
}

// hostAllowed reports whether a Host header names this server. An IP address does: a page
// of an attacker has a name.
func (s *settings) hostAllowed(host string) bool {
	if s.anyHost && host != "" {
		return true
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && s.hosts[strings.ToLower(strings.TrimSuffix(host, "."))]
}

// guardOrigin refuses what a browser sends for a page of somebody else, reading or
// writing. Programs send neither header.
func (c *call) guardOrigin() error {
	h, origin := c.r.Header, ""
	switch values := h.Values("Origin"); len(values) {
	case 0:
	case 1:
		origin = strings.ToLower(values[0])
	default:
		return wire.Errorf(wire.BadRequest, "the header Origin is there %d times", len(values))
	}
	if origin != "" {
		c.out.Header().Add("Vary", "Origin")
		if c.set.origins[origin] {
			c.cors(origin)
			return nil
		}
		if u, err := url.Parse(origin); err == nil && u.Host != "" && u.Host == strings.ToLower(c.r.Host) && c.sameScheme(u.Scheme) {
			return nil
		}
		return originDenied()
	}
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // none: a person typed the address
		return nil
	}
	return originDenied()
}

func originDenied() error {
	return wire.Errorf(wire.OriginDenied, "web pages of other origins may not use this server").
		WithHint("the operator can add an origin to http-allowed-origins")
}

func (c *call) sameScheme(scheme string) bool { return (scheme == "https") == (c.r.TLS != nil) }

// cors tells the browser that a page of an allowed origin may read the answer. Logins of
// the browser are not sent along: the page has to bring its own Authorization.
func (c *call) cors(origin string) {
	h := c.out.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Expose-Headers", strings.Join([]string{
		"ETag", "Retry-After", wire.HeaderContext, wire.HeaderTTL, wire.HeaderSiblings, wire.HeaderRequestID, wire.HeaderReplayed}, ", "))
	if c.r.Method == http.MethodOptions && c.r.Header.Get("Access-Control-Request-Method") != "" {
		c.preflight = true
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", strings.Join([]string{
			"Authorization", "Content-Type", "Accept", "If-Match", "If-None-Match",
			wire.HeaderContext, wire.HeaderTTL, wire.HeaderDurability, wire.HeaderRequestID}, ", "))
		h.Set("Access-Control-Max-Age", "600")
	}
}

// parseQuery is url.ParseQuery with an error of ours.
func parseQuery(raw string) (url.Values, error) {
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "the query of the URL cannot be read").WithHint("write other characters than letters and digits as %XX")
	}
	return v, nil
}
