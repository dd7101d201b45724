package domain_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"a page is local", "/console/users", true},
		{"a page with a query is local", "/console/usage?from=2026-11-01&to=2026-11-30", true},
		{"the root is local", "/", true},
		{"an empty text is not", "", false},
		{"a relative path is not", "console/", false},
		{"two slashes begin a host", "//evil.example/", false},
		{"two slashes alone do as well", "//", false},
		{"three slashes are two for browsers", "///evil.example/", false},
		{"a slash and a backslash begin a host for browsers", `/\evil.example/`, false},
		{"a backslash is a slash for browsers", `/console\..\\evil.example`, false},
		{"an encoded backslash may be decoded on the way", "/%5Cevil.example", false},
		{"browsers drop tabs", "/\t/evil.example/", false},
		{"browsers drop line breaks", "/\n/evil.example/", false},
		{"a scheme is not local", "https://evil.example/", false},
		{"a scheme without slashes is not local", "javascript:alert(1)", false},
		{"two slashes further on may become the first ones", "/console//evil.example", false},
		{"encoded slashes count as well", "/%2F/evil.example", false},
		{"dots lead elsewhere", "/console/../login", false},
		{"encoded dots lead elsewhere", "/console/%2e%2e/login", false},
		{"an invalid escape is not a path", "/%zz", false},
		{"a fragment is not sent to the service", "/console/#x", false},
		{"other scripts are percent-encoded in a path", "/größe", false},
		{"a text of 1,000 bytes is taken", "/" + strings.Repeat("a", 999), true},
		{"a longer one is not", "/" + strings.Repeat("a", 1000), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if path, ok := domain.LocalPath(tc.text); ok != tc.ok || ok && path != tc.text {
				t.Errorf("LocalPath(%q) = %q, %v; want %v", tc.text, path, ok, tc.ok)
			}
		})
	}
}

func FuzzLocalPath(f *testing.F) {
	f.Add("/console/users?q=a")
	f.Add(`/\evil.example`)
	base, _ := url.Parse("https://flowlatch.example/console/login")
	f.Fuzz(func(t *testing.T, text string) {
		path, ok := domain.LocalPath(text)
		if !ok {
			return
		}
		to, err := base.Parse(path)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			t.Errorf("LocalPath(%q) leads to %v, %v", text, to, err)
		}
	})
}
