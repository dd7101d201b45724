package ginhttp_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// attempts records the addresses that tried to log in.
type attempts struct{ from []string }

func (a *attempts) Begin(_ domain.Username, address string) (func(), error) {
	a.from = append(a.from, address)
	return func() {}, nil
}

// TestOnlyXForwardedForCounts sends every header in which proxies name their client. What counts
// is in the log, in the audit and in the limit on logins.
func TestOnlyXForwardedForCounts(t *testing.T) {
	for _, tc := range []struct {
		name, remote string
		forwarded    []string // X-Forwarded-For
		want         string
		warning      string
	}{
		{"a trusted proxy", "192.0.2.7:5000", []string{"198.51.100.1, 203.0.113.9:4711"}, "203.0.113.9", ""},
		{"a trusted proxy that says nothing", "192.0.2.7:5000", nil, "192.0.2.7", ""},
		{"a trusted proxy that says what is no address", "192.0.2.7:5000", []string{"canary"}, "192.0.2.7", "no address"},
		{"a proxy that is not trusted", "192.0.2.8:5000", []string{"203.0.113.9"}, "192.0.2.8", "FLOWLATCH_TRUSTED_PROXIES"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tried := &attempts{}
			w := newWorld(t, func(w *world) {
				w.options.TrustedProxies = []string{"192.0.2.7"}
				w.ports.Logins = &app.Logins{Passwords: w.ports.Logins.Passwords, Attempts: tried}
			})
			tried.from = nil
			r := w.nobody.request(t, "POST", "/login", `{"username":"member","password":"wrong"}`)
			r.RemoteAddr = tc.remote
			for _, name := range []string{
				"X-Real-Ip", "Forwarded", "Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip", "Fastly-Client-Ip", "Fly-Client-Ip",
				"X-Appengine-Remote-Addr", "X-Forwarded", "Forwarded-For", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Envoy-External-Address",
			} {
				r.Header.Set(name, "6.6.6.6")
			}
			if tc.forwarded != nil {
				r.Header["X-Forwarded-For"] = tc.forwarded
			}
			_, lines := w.logged(t, r)
			if got := lines[len(lines)-1]["address"]; got != tc.want {
				t.Errorf("the log has %v, want %v", got, tc.want)
			}
			if len(tried.from) != 1 || tried.from[0] != tc.want {
				t.Errorf("the limit on logins counts for %v, want %v", tried.from, tc.want)
			}
			audit := w.admin.do(t, "GET", "/get_audit_events?action=login&limit=1", "").want(t, 200, "")
			if !strings.Contains(string(audit.raw), `"Address":"`+tc.want+`"`) {
				t.Errorf("the audit has %s, want the address %v", audit.raw, tc.want)
			}
			if warned := len(lines) == 2; warned != (tc.warning != "") || warned && !strings.Contains(lines[0]["msg"].(string), tc.warning) {
				t.Errorf("got the lines %v, want a warning with %q", lines, tc.warning)
			}
			if _, again := w.logged(t, r.Clone(t.Context())); len(again) != 1 {
				t.Errorf("the second time: got the lines %v, want no warning", again)
			}
		})
	}
}

func TestWhatIsNoAddressIsNone(t *testing.T) {
	w := newWorld(t)
	r := w.member.request(t, "GET", "/get_projects", "")
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.RemoteAddr = "@"
	socket := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/flowlatch", Net: "unix"})
	if _, lines := w.logged(t, r.WithContext(socket)); lines[0]["address"] != "" {
		t.Errorf("over a Unix socket: got %v, want none", lines[0]["address"])
	}
}

// TestMountedAddresses has a host whose router trusts a header of its platform.
func TestMountedAddresses(t *testing.T) {
	for _, tc := range []struct {
		name, platform, header string
		trusted                []string
		want                   string
	}{
		{"the router decides", "X-Client", "203.0.113.9", nil, "203.0.113.9"},
		{"what the router finds is no address", "X-Client", "canary", nil, ""},
		{"with trusted proxies, the router does not decide", "X-Client", "6.6.6.6", []string{"192.0.2.1"}, "203.0.113.5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, hosted(byHeader))
			host := gin.New()
			host.TrustedPlatform = tc.platform
			w.options.Identify, w.options.TrustedProxies = byHeader, tc.trusted
			if err := ginhttp.Mount(host, w.service, w.options); err != nil {
				t.Fatal(err)
			}
			w.engine = host
			r := w.nobody.request(t, "GET", "/get_projects", "")
			r.RemoteAddr = "192.0.2.1:5000"
			r.Header.Set(tc.platform, tc.header)
			r.Header.Set("X-Forwarded-For", "203.0.113.5")
			if _, lines := w.logged(t, r); lines[0]["address"] != tc.want {
				t.Errorf("got %v, want %v", lines[0]["address"], tc.want)
			}
		})
	}
}
