package domain

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// MaxPictureOrigins is the largest number of origins in Project.PictureOrigins.
const MaxPictureOrigins = 20

// hostCharacters are those that the source of a content security policy can have in a host, and the
// dot between its labels (Content Security Policy Level 3, section 2.3.1).
const hostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-."

// ParsePictureOrigins reads the parameter origins: https origins such as https://cdn.example.com or
// https://cdn.example.com:8443. The result has them as a browser writes them: in lower case, without
// the default port. An empty list is nil. Each origin is safe as a source in a content security
// policy: it has lower-case ASCII letters, digits, hyphens and dots in its host, and nothing but a
// port after it. A name with other letters has to be written with xn--.
//
// Returns Invalid for anything else, such as a path, a user, a wildcard or an IPv6 address. Returns
// Invalid for an origin that comes twice, and for more than MaxPictureOrigins. No error repeats an
// origin, because a key may have been pasted in its place.
func ParsePictureOrigins(list []string) ([]Origin, error) {
	if len(list) > MaxPictureOrigins {
		return nil, invalid("origins has more than " + strconv.Itoa(MaxPictureOrigins) + " origins")
	}
	var origins []Origin
	for i, text := range list {
		if HoldsCredential(text) { // such a text can be a host
			return nil, invalid("origin " + strconv.Itoa(i+1) + " in origins looks like a key or an access token; replace it where it came from, because it was sent here")
		}
		origin, ok := pictureOrigin(text)
		if !ok {
			return nil, invalid("origin " + strconv.Itoa(i+1) + " in origins must be like https://cdn.example.com, without path, user or wildcard")
		}
		if slices.Contains(origins, origin) {
			return nil, invalid("origin " + strconv.Itoa(i+1) + " in origins is there twice")
		}
		origins = append(origins, origin)
	}
	return origins, nil
}

// pictureOrigin reads one origin. The text must be what ParseOrigin makes of it, but for case and the
// default port. So no part of it is left out or decoded.
func pictureOrigin(text string) (Origin, bool) {
	text = strings.TrimSpace(text)
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false // some such letters have a small form in ASCII
	}
	text = strings.ToLower(text)
	origin, err := ParseOrigin(text)
	if err != nil || text != string(origin) && text != string(origin)+":443" {
		return "", false
	}
	authority, https := strings.CutPrefix(string(origin), "https://")
	host, port, hasPort := strings.Cut(authority, ":")
	if !https || !isHost(host) || hasPort && !isWrittenPort(port) {
		return "", false
	}
	return origin, true
}

// isHost reports whether the text is a host name of lower-case ASCII, or an IPv4 address in its usual
// form.
func isHost(text string) bool {
	if len(text) > 253 || strings.Trim(text, hostCharacters) != "" {
		return false
	}
	labels := strings.Split(text, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	// A browser takes a host whose last label is a number for an address (URL Standard, 'ends in a
	// number checker').
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		address, err := netip.ParseAddr(text)
		return err == nil && address.Is4()
	}
	return true
}

// isWrittenPort reports whether the text is a port as a browser writes it.
func isWrittenPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && strconv.FormatUint(port, 10) == text
}

// PictureOriginsText returns the origins as one text, with spaces between them. It is "" for none.
func PictureOriginsText(origins []Origin) string {
	texts := make([]string, len(origins))
	for i, origin := range origins {
		texts[i] = string(origin)
	}
	return strings.Join(texts, " ")
}

// PictureOriginsFromText reads what PictureOriginsText wrote. Any other text is no origins, so a text
// that was changed by hand allows nothing.
func PictureOriginsFromText(text string) []Origin {
	if text == "" {
		return nil
	}
	origins, err := ParsePictureOrigins(strings.Split(text, " "))
	if err != nil || PictureOriginsText(origins) != text {
		return nil
	}
	return origins
}
