package domain

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// BaseURL is where browsers find the service: its origin as a browser writes it, and the path
// below which a proxy serves it. The proxy removes that path. Its zero value means that nothing
// is known about it.
type BaseURL struct {
	Origin Origin
	Path   string // "/", or a path without a slash at its end, such as /flowlatch
}

// String returns the URL without a slash at its end.
func (b BaseURL) String() string { return string(b.Origin) + strings.TrimSuffix(b.Path, "/") }

// HTTPS reports whether browsers reach the service over TLS.
func (b BaseURL) HTTPS() bool { return strings.HasPrefix(string(b.Origin), "https://") }

// Host returns the host without port and brackets.
func (b BaseURL) Host() string {
	u, err := url.Parse(string(b.Origin))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// ParseBaseURL reads an absolute http or https URL. Its host is in ASCII, and its path has
// unreserved characters only (RFC 3986, section 2.3), because browsers compare the path of a
// cookie by its bytes. Returns Invalid for any other text, also if it has a user, a query or a
// fragment.
func ParseBaseURL(text string) (BaseURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.ContainsAny(text, "?#") {
		return BaseURL{}, invalidBaseURL()
	}
	host, okHost := browsersHost(u.Hostname())
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); !okHost || port != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != port) {
		return BaseURL{}, invalidBaseURL()
	}
	if u.Host = host; port != "" {
		u.Host += ":" + port
	}
	origin, err := ParseOrigin(u.String())
	path := "/" + strings.Trim(u.EscapedPath(), "/")
	if err != nil || path != "/" && !isPlainPath(path) {
		return BaseURL{}, invalidBaseURL()
	}
	return BaseURL{Origin: origin, Path: path}, nil
}

func invalidBaseURL() error {
	return invalid("the base URL must be an http or https URL such as https://example.com/flowlatch, without user, query and fragment; a host in another script is written as xn--…")
}

// browsersHost returns a host as browsers write it in an origin.
func browsersHost(host string) (string, bool) {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return "[" + address.String() + "]", err == nil && address.Zone() == ""
	}
	for _, c := range []byte(host) {
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return "", false
		}
	}
	return strings.ToLower(host), host != ""
}

// isPlainPath reports whether each segment of a path reads the same to everybody.
func isPlainPath(path string) bool {
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		for _, c := range []byte(segment) {
			if !isAlphanumeric(c) && !strings.ContainsRune("-._~", rune(c)) {
				return false
			}
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// maxCookiePrefix is the longest prefix of a cookie's name, in bytes.
const maxCookiePrefix = 32

// ParseCookiePrefix checks what is put before the names of cookies. Returns Invalid unless it has
// at most 32 of A-Z a-z 0-9 _ -, and if it is a prefix that browsers give a meaning, such as
// __Host- (draft-ietf-httpbis-rfc6265bis, section 4.1.3).
func ParseCookiePrefix(text string) (string, error) {
	lower := strings.ToLower(text) // browsers ignore the case of their prefixes
	if len(text) > maxCookiePrefix || strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-") || strings.HasPrefix(lower, "__http-") {
		return "", invalidCookiePrefix()
	}
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '_' && c != '-' {
			return "", invalidCookiePrefix()
		}
	}
	return text, nil
}

func invalidCookiePrefix() error {
	return invalid("the cookie prefix must be at most 32 of A-Z a-z 0-9 _ -, and must not begin with __Host-, __Secure- or __Http-, which browsers reserve")
}
