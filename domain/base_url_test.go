package domain_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestParseBaseURL(t *testing.T) {
	for _, tc := range []struct {
		name, text, origin, path string
		https                    bool
	}{
		{"an origin", "https://flowlatch.example.com", "https://flowlatch.example.com", "/", true},
		{"a slash at the end", "https://flowlatch.example.com/", "https://flowlatch.example.com", "/", true},
		{"a path", "https://example.com/a/b-c_d~e.f", "https://example.com", "/a/b-c_d~e.f", true},
		{"a path with a slash at its end", "https://example.com/a/", "https://example.com", "/a", true},
		{"plain http and a port", "http://localhost:8080/a", "http://localhost:8080", "/a", false},
		{"a default port, which browsers leave out", "https://example.com:443", "https://example.com", "/", true},
		{"a default port of http", "http://example.com:80/", "http://example.com", "/", false},
		{"capitals, which browsers write small", "HTTPS://Example.COM/Path", "https://example.com", "/Path", true},
		{"a dot at the end, which is another origin", "https://example.com.", "https://example.com.", "/", true},
		{"a host in punycode", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "/", true},
		{"an IPv4 address", "http://127.0.0.1:8080", "http://127.0.0.1:8080", "/", false},
		{"an IPv6 address, which browsers shorten", "http://[0:0:0::1]:8080", "http://[::1]:8080", "/", false},
		{"a host with an underscore", "https://my_host:8443", "https://my_host:8443", "/", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParseBaseURL(tc.text)
			if err != nil || string(got.Origin) != tc.origin || got.Path != tc.path || got.HTTPS() != tc.https {
				t.Errorf("got %+v, %v, want %s and %s", got, err, tc.origin, tc.path)
			}
			if u, err := url.Parse(tc.origin); err != nil || got.Host() != u.Hostname() {
				t.Errorf("got the host %q of %s", got.Host(), tc.origin)
			}
			if again, err := domain.ParseBaseURL(got.String()); err != nil || again != got {
				t.Errorf("%s is read as %+v, %v, want %+v", got, again, err, got)
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "no scheme": "example.com", "another scheme": "ftp://example.com", "no host": "https://", "a path only": "/flowlatch",
		"a query": "https://example.com/?a=b", "an empty query": "https://example.com/?", "a fragment": "https://example.com/#a", "an empty fragment": "https://example.com/#",
		"a user": "https://me@example.com", "a password": "https://me:hunter2@example.com", "a port beyond": "https://example.com:70000",
		"a port with zeros": "https://example.com:0443", "port 0": "https://example.com:0", "a host in another script": "https://bücher.example",
		"a pattern": "https://*.example.com", "dots": "https://example.com/a/../b", "one dot": "https://example.com/./b", "a slash within": "https://example.com/a//b",
		"an encoded slash": "https://example.com/a%2Fb", "a semicolon": "https://example.com/a;b", "a space": "https://example.com/a b", "a zone": "https://[fe80::1%25lo]/",
		"two hosts": "https://a.example,https://b.example", "a line": "https://example.com/\n", "opaque": "https:example.com",
	} {
		if got, err := domain.ParseBaseURL(text); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got %+v, %v, want Invalid", name, got, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the text: %v", name, err)
		}
	}
	if b := (domain.BaseURL{}); b.HTTPS() || b.String() != "" {
		t.Errorf("the zero value is %s", b)
	}
}

// FuzzParseBaseURL checks that what is read is read again as the same, and can stand in Path of a
// cookie.
func FuzzParseBaseURL(f *testing.F) {
	for _, seed := range []string{"https://example.com:443/a/", "http://[::1]:8080", "HTTPS://x.", "https://a/%2e%2e/", "https://a:b@c/?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := domain.ParseBaseURL(text)
		if err != nil {
			return
		}
		if again, err := domain.ParseBaseURL(got.String()); err != nil || again != got {
			t.Fatalf("%q is %+v, and then %+v, %v", text, got, again, err)
		}
		if strings.ContainsAny(got.Path, "; ,%\"\\") || !strings.HasPrefix(got.Path, "/") || got.Path != "/" && strings.HasSuffix(got.Path, "/") {
			t.Fatalf("%q has the path %q", text, got.Path)
		}
		if u, err := url.Parse(string(got.Origin)); err != nil || u.Scheme+"://"+u.Host != string(got.Origin) {
			t.Fatalf("%q has the origin %q", text, got.Origin)
		}
	})
}

func TestParseCookiePrefix(t *testing.T) {
	for _, text := range []string{"", "a", "staging_", "Team-7_", strings.Repeat("x", 32)} {
		if got, err := domain.ParseCookiePrefix(text); err != nil || got != text {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{strings.Repeat("x", 33), "a=", "a b", "a;", "ä", "__Host-", "__host-x", "__SECURE-", "__Http-a", "a\n"} {
		if _, err := domain.ParseCookiePrefix(text); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got %v, want Invalid", text, err)
		}
	}
}
