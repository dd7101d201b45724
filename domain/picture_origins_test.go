package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestPictureOriginsAreRead(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, tc := range []struct {
		name, text string
		want       domain.Origin // "" for a text that is refused
	}{
		{"a host", "https://cdn.example.com", "https://cdn.example.com"},
		{"a host of one label", "https://cdn", "https://cdn"},
		{"spaces around it are removed", " https://cdn.example.com\n", "https://cdn.example.com"},
		{"capitals become small letters", "HTTPS://CDN.Example.com", "https://cdn.example.com"},
		{"a port stays", "https://cdn.example.com:8443", "https://cdn.example.com:8443"},
		{"the default port is left out", "https://cdn.example.com:443", "https://cdn.example.com"},
		{"a host in Punycode", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"digits and hyphens", "https://a-1.2b.example", "https://a-1.2b.example"},
		{"an IPv4 address", "https://192.0.2.7", "https://192.0.2.7"},
		{"the longest label", "https://" + label + ".example", domain.Origin("https://" + label + ".example")},
		{"a label that begins like a number", "https://example.0xyz", "https://example.0xyz"},
		{"the highest port", "https://a:65535", "https://a:65535"},

		{"nothing", "", ""},
		{"spaces", "  ", ""},
		{"http", "http://cdn.example.com", ""},
		{"http with the port of https", "http://cdn.example.com:443", ""},
		{"another scheme", "ftp://cdn.example.com", ""},
		{"data", "data:", ""},
		{"a host alone", "cdn.example.com", ""},
		{"a host without a scheme", "//cdn.example.com", ""},
		{"a scheme alone", "https:", ""},
		{"a scheme with slashes", "https://", ""},
		{"a slash after it", "https://cdn.example.com/", ""},
		{"a path", "https://cdn.example.com/pictures", ""},
		{"a query", "https://cdn.example.com?a=b", ""},
		{"an empty query", "https://cdn.example.com?", ""},
		{"a fragment", "https://cdn.example.com#a", ""},
		{"an empty fragment", "https://cdn.example.com#", ""},
		{"a user", "https://user@cdn.example.com", ""},
		{"an empty user", "https://@cdn.example.com", ""},
		{"a password", "https://user:pass@cdn.example.com", ""},
		{"a Voiceflow key", "https://VF.DM.6371c9b4e1a5b2c3d4e5f607.abc", ""},
		{"a wildcard", "https://*.example.com", ""},
		{"a wildcard alone", "*", ""},
		{"a wildcard for the host", "https://*", ""},
		{"a wildcard for the port", "https://cdn.example.com:*", ""},
		{"an empty port", "https://cdn.example.com:", ""},
		{"port 0", "https://cdn.example.com:0", ""},
		{"a port with a zero before it", "https://cdn.example.com:08443", ""},
		{"the default port with a zero before it", "https://cdn.example.com:0443", ""},
		{"a port that is too high", "https://cdn.example.com:65536", ""},
		{"a port with a sign", "https://cdn.example.com:+443", ""},
		{"a semicolon", "https://cdn.example.com;script-src", ""},
		{"a comma", "https://a.example,https://b.example", ""},
		{"a space", "https://a.example https://b.example", ""},
		{"a tab", "https://a.exam\tple", ""},
		{"a line break", "https://a.example\nx", ""},
		{"a quote", "https://a.example'", ""},
		{"a double quote", `https://a.example"`, ""},
		{"a keyword", "'unsafe-inline'", ""},
		{"an escaped semicolon", "https://a%3bb.example", ""},
		{"an escaped space", "https://a%20b.example", ""},
		{"an escaped letter", "https://%61.example", ""},
		{"NUL", "https://a\x00.example", ""},
		{"invalid UTF-8", "https://a\xff.example", ""},
		{"letters outside ASCII", "https://bücher.example", ""},
		{"digits outside ASCII", "https://１.example", ""},
		{"a letter whose small form is ASCII", "https://\u212a.example", ""},
		{"a full stop outside ASCII", "https://a。example", ""},
		{"a backslash", `https:\\cdn.example.com`, ""},
		{"an underscore", "https://a_b.example", ""},
		{"an empty label", "https://a..example", ""},
		{"a dot at the end", "https://a.example.", ""},
		{"a hyphen before a label", "https://-a.example", ""},
		{"a hyphen after a label", "https://a-.example", ""},
		{"a label that is too long", "https://" + label + "a.example", ""},
		{"a host that is too long", "https://" + strings.Repeat("a.", 126) + "example", ""},
		{"an IPv6 address", "https://[2001:db8::1]", ""},
		{"an IPv6 address with a port", "https://[2001:db8::1]:8443", ""},
		{"an IPv4 address in short", "https://192.0.519", ""},
		{"an IPv4 address with a zero before a part", "https://192.0.2.07", ""},
		{"an IPv4 address in hexadecimal", "https://0xc0000207", ""},
		{"a host that ends in a number", "https://example.1", ""},
		{"a host that ends in a hexadecimal number", "https://example.0xa", ""},
		{"a key", "VF.DM.canary", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParsePictureOrigins([]string{"https://first.example", tc.text})
			if tc.want == "" {
				wantKind(t, err, domain.Invalid)
				if err != nil && strings.Contains(err.Error(), "canary") {
					t.Errorf("the error repeats the origin: %v", err)
				}
				return
			}
			if err != nil || !slices.Equal(got, []domain.Origin{"https://first.example", tc.want}) {
				t.Errorf("got %q and error %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestListsOfPictureOrigins(t *testing.T) {
	many := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("https://a%d.example", i)
		}
		return list
	}
	for _, tc := range []struct {
		name string
		list []string
		want int // origins; -1 for a list that is refused
	}{
		{"no list is no origins", nil, 0},
		{"an empty list is no origins", []string{}, 0},
		{"the longest list is read", many(domain.MaxPictureOrigins), domain.MaxPictureOrigins},
		{"a longer list is refused", many(domain.MaxPictureOrigins + 1), -1},
		{"an origin that comes twice is refused", []string{"https://a.example", "https://b.example", "https://A.example:443"}, -1},
		{"another port is another origin", []string{"https://a.example", "https://a.example:8443"}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := domain.ParsePictureOrigins(tc.list)
			if tc.want < 0 {
				wantKind(t, err, domain.Invalid)
				return
			}
			if err != nil || len(got) != tc.want || (got == nil) != (tc.want == 0) {
				t.Fatalf("got %q and error %v, want %d", got, err, tc.want)
			}
			if again := domain.PictureOriginsFromText(domain.PictureOriginsText(got)); !slices.Equal(again, got) {
				t.Errorf("got %q from the text, want %q", again, got)
			}
		})
	}
}

func TestStoredPictureOriginsThatNobodyWroteAreNone(t *testing.T) {
	for _, text := range []string{
		"*", "'self'", "https://a.example;", "https://a.example  https://b.example", "https://a.example ", "https://A.example",
		"https://a.example:443", "http://a.example", "https://a.example https://a.example", `["https://a.example"]`,
	} {
		if got := domain.PictureOriginsFromText(text); got != nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// FuzzPictureOrigins looks for an origin that would add something to a content security policy.
func FuzzPictureOrigins(f *testing.F) {
	for _, seed := range []string{"https://a.example", "https://a.example:8443", "https://a;b", "https://[::1]", "https://a%3b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := domain.ParsePictureOrigins([]string{text})
		if err != nil {
			return
		}
		rest, https := strings.CutPrefix(string(got[0]), "https://")
		if !https || rest == "" || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "" {
			t.Errorf("got %q", got[0])
		}
		if again, err := domain.ParsePictureOrigins([]string{string(got[0])}); err != nil || again[0] != got[0] {
			t.Errorf("%q became %q and error %v", got[0], again, err)
		}
	})
}
