package domain

import (
	"net/url"
	"strings"
)

// maxLocalPath is the longest local path, in bytes.
const maxLocalPath = 1000

// LocalPath returns the text if it is the path of a page of this service, with or without a query.
// ok is false for anything that a browser could take for another origin, such as //host, /\host or
// https:. Browsers read a backslash as a slash, and drop tabs and line breaks
// (https://url.spec.whatwg.org/#url-parsing).
func LocalPath(text string) (path string, ok bool) {
	if len(text) > maxLocalPath || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsFunc(text, notInPath) {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	// A proxy or a browser may resolve dots, join slashes and turn backslashes, and arrive at another
	// path.
	for segment := range strings.SplitSeq(strings.TrimSuffix(u.Path[1:], "/"), "/") {
		if segment == "." || segment == ".." || segment == "" && u.Path != "/" || strings.Contains(segment, `\`) {
			return "", false
		}
	}
	return text, true
}

// notInPath reports whether a local path and its query can't have the character.
func notInPath(c rune) bool { return c <= ' ' || c > '~' || c == '\\' || c == '#' }
