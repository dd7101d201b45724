package console_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/console"
)

// policy is the Content-Security-Policy of every page that shows no foreign pictures.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// TestHeadersOfPages opens every page that can be opened without a value, as an admin, as a member
// and as nobody. So it sees pages, redirects and refusals.
func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paths := []string{"/console/nothing", "/console/static/none.css", "/console/audit/999999"}
	for _, route := range w.options.Pages.Routes {
		if route.Method == http.MethodGet && !strings.Contains(route.Path, ":") {
			paths = append(paths, route.Path)
		}
	}
	for _, path := range paths {
		for who, b := range map[string]*browser{"nobody": w.nobody, "a member": w.member, "an admin": w.admin} {
			got := b.get(t, path)
			referrer := "same-origin"
			if path == "/oidc/callback" {
				referrer = "no-referrer"
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": policy, "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": referrer,
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s for %s (status %d): got %s %q, want %q", path, who, got.status, name, value, want)
				}
			}
		}
	}
}

// TestPoliciesWithAProvider opens the same pages where there is an identity provider. A page may send forms
// to it only if it has one that leads there: that of the logout, if the provider opened the login, or the one
// that links the user.
func TestPoliciesWithAProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signsOn)
	w.rule(t, "chiefs")
	leading := strings.Replace(policy, "form-action 'self';", formsOfProvider, 1)
	seen := map[string]int{}
	for _, route := range w.options.Pages.Routes {
		if route.Method != http.MethodGet || strings.Contains(route.Path, ":") {
			continue
		}
		for who, b := range map[string]*browser{
			"nobody": w.nobody, "a member": w.member, "an admin": w.admin, "an admin by the provider": w.signOn(t, person("gus", "chiefs")),
		} {
			got := b.get(t, route.Path)
			want := policy
			leads := who == "an admin by the provider" && strings.Contains(got.text, `action="/console/logout"`)
			if leads || strings.Contains(got.text, `action="/console/account/link"`) {
				want = leading
			}
			seen[want]++
			if value := got.header.Get("Content-Security-Policy"); value != want {
				t.Errorf("%s for %s (status %d): got the policy %q, want %q", route.Path, who, got.status, value, want)
			}
		}
	}
	if seen[policy] < 20 || seen[leading] < 10 {
		t.Errorf("%d pages have the plain policy and %d the other one", seen[policy], seen[leading])
	}
}

// load loads a file or page as a browser that takes gzip, and returns how many bytes its body has.
func (b *browser) load(t testing.TB, path string) (size int, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.w.server.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip") // net/http then leaves the body as it is
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, response.Status, err)
	}
	return len(body), response.Header
}

var (
	loads  = regexp.MustCompile(`(?:src|href)="(/console/static/[^"]+)"`)
	hashed = regexp.MustCompile(`^/console/static/[a-z_-]+\.[0-9a-f]{12}\.[a-z0-9]+$`)
)

// loadedBy returns the static files that a page loads.
func (b *browser) loadedBy(t testing.TB, path string) []string {
	t.Helper()
	var files []string
	seen := map[string]bool{}
	for _, found := range loads.FindAllStringSubmatch(b.get(t, path).text, -1) {
		if !seen[found[1]] {
			seen[found[1]] = true
			files = append(files, found[1])
		}
	}
	return files
}

func TestTheFirstLoadIsSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sum, _ := w.nobody.load(t, "/console/login")
	files := w.nobody.loadedBy(t, "/console/login")
	if len(files) < 3 {
		t.Fatalf("the login loads only %v", files)
	}
	for _, file := range files {
		size, header := w.nobody.load(t, file)
		sum += size
		if got := header.Get("Cache-Control"); !strings.Contains(got, "immutable") || !hashed.MatchString(file) {
			t.Errorf("%s has Cache-Control %q; its name must have a hash, and it must be immutable", file, got)
		}
		if got := header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s has X-Content-Type-Options %q, want nosniff", file, got)
		}
	}
	if sum > 40_000 {
		t.Errorf("the first load is %d bytes over the wire, want at most 40,000", sum)
	}
}

// TestTheScriptsAreSmall adds up all scripts, whether a page loads them or not.
func TestTheScriptsAreSmall(t *testing.T) {
	t.Parallel()
	sizes, err := console.ZippedSizes()
	if err != nil {
		t.Fatal(err)
	}
	sum, scripts := 0, 0
	for name, size := range sizes {
		if strings.HasSuffix(name, ".js") {
			sum += size
			scripts++
		}
	}
	if scripts == 0 || sum > 8_000 {
		t.Errorf("%d scripts have %d bytes compressed, want some with at most 8,000", scripts, sum)
	}
}
