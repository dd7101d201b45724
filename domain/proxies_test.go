package domain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestClient(t *testing.T) {
	const proxy = "192.0.2.7:5000"
	trusted := []string{"192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:172.16.0.0/108", "fe80::/10"}
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string
		doubt      domain.Doubt
	}{
		{"without a proxy, the peer counts", "203.0.113.9:5000", nil, "203.0.113.9", domain.NoDoubt},
		{"a stranger's list does not count", "203.0.113.9:5000", []string{"198.51.100.1"}, "203.0.113.9", domain.UntrustedSender},
		{"nor does a stranger's empty list", "203.0.113.9:5000", []string{""}, "203.0.113.9", domain.UntrustedSender},
		{"a trusted proxy without a list is the client", proxy, nil, "192.0.2.7", domain.NoDoubt},
		{"a trusted proxy says who the client is", proxy, []string{"203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"what the client wrote in front does not count", proxy, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"several lines are one list", proxy, []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"a chain of trusted proxies is passed", proxy, []string{"203.0.113.9, 10.1.1.1", "10.2.2.2"}, "203.0.113.9", domain.NoDoubt},
		{"if all are trusted, the leftmost counts", proxy, []string{"10.3.3.3, 10.1.1.1"}, "10.3.3.3", domain.NoDoubt},
		{"an address has a port", proxy, []string{"203.0.113.9:41234"}, "203.0.113.9", domain.NoDoubt},
		{"an IPv6 address has no brackets", proxy, []string{"2001:db9::5"}, "2001:db9::5", domain.NoDoubt},
		{"an IPv6 address has brackets", proxy, []string{"[2001:db9::5]"}, "2001:db9::5", domain.NoDoubt},
		{"an IPv6 address has brackets and a port", proxy, []string{"[2001:db9::5]:443"}, "2001:db9::5", domain.NoDoubt},
		{"an IPv4 address is a part of IPv6", proxy, []string{"::ffff:203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"such a one has brackets and a port", proxy, []string{"[::ffff:203.0.113.9]:1"}, "203.0.113.9", domain.NoDoubt},
		{"such a one is in hexadecimal", proxy, []string{"::FFFF:cb00:7109"}, "203.0.113.9", domain.NoDoubt},
		{"an address has a zone", proxy, []string{"fe90::1%eth0, 10.0.0.1"}, "fe90::1", domain.NoDoubt},
		{"spaces and tabs are around", proxy, []string{" \t203.0.113.9\t , 10.0.0.1 "}, "203.0.113.9", domain.NoDoubt},
		{"empty items are skipped", proxy, []string{", 203.0.113.9 ,, ", ""}, "203.0.113.9", domain.NoDoubt},
		{"a list of nothing is no list", proxy, []string{" , "}, "192.0.2.7", domain.NoDoubt},
		{"a word counts as the proxy", proxy, []string{"unknown"}, "192.0.2.7", domain.UnreadableSender},
		{"a word behind a trusted proxy counts as that proxy", proxy, []string{"203.0.113.9, unknown, 10.1.1.1"}, "10.1.1.1", domain.UnreadableSender},
		{"a Unix socket of nginx counts as the proxy", proxy, []string{"unix:"}, "192.0.2.7", domain.UnreadableSender},
		{"a word in front of the client is not read", proxy, []string{"unknown, 203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"an invalid port", proxy, []string{"203.0.113.9:70000"}, "192.0.2.7", domain.UnreadableSender},
		{"a port that is missing", proxy, []string{"203.0.113.9:"}, "192.0.2.7", domain.UnreadableSender},
		{"a port with a sign", proxy, []string{"203.0.113.9:+80"}, "192.0.2.7", domain.UnreadableSender},
		{"brackets around IPv4", proxy, []string{"[203.0.113.9]:80"}, "192.0.2.7", domain.UnreadableSender},
		{"a bracket that does not close", proxy, []string{"[2001:db9::5"}, "192.0.2.7", domain.UnreadableSender},
		{"a network", proxy, []string{"203.0.113.0/24"}, "192.0.2.7", domain.UnreadableSender},
		{"leading zeros", proxy, []string{"203.000.113.009"}, "192.0.2.7", domain.UnreadableSender},
		{"a semicolon, as in Forwarded", proxy, []string{"for=203.0.113.9;proto=https"}, "192.0.2.7", domain.UnreadableSender},
		{"the proxy connects by IPv4 in IPv6", "[::ffff:192.0.2.7]:5000", []string{"203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"the proxy's network is written as IPv4 in IPv6", "172.16.5.5:5000", []string{"203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"the proxy's address has a zone", "[fe80::1%lo]:5000", []string{"203.0.113.9"}, "203.0.113.9", domain.NoDoubt},
		{"a Unix socket has no address", "@", []string{"203.0.113.9"}, "", domain.NoDoubt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			proxies, err := domain.ParseProxies(trusted)
			if err != nil {
				t.Fatal(err)
			}
			if got, doubt := proxies.Client(tc.peer, tc.forwarded); got != tc.want || doubt != tc.doubt {
				t.Errorf("got %q and the doubt %d, want %q and %d", got, doubt, tc.want, tc.doubt)
			}
		})
	}
}

func TestParseProxies(t *testing.T) {
	for _, text := range []string{"proxy.example.com", "10.0.0.0/33", "10.0.0.1:80", "[::1]", "fe80::1%eth0", "::ffff:0:0/90", "", "unix:/run/proxy", "010.0.0.1"} {
		if _, err := domain.ParseProxies([]string{"10.0.0.1", text}); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got %v, want Invalid", text, err)
		}
	}
	for _, text := range []string{"10.0.0.7/8", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3", "10.1.2.3"} {
		proxies, err := domain.ParseProxies([]string{text})
		if err != nil || !proxies.Any() {
			t.Fatalf("%q: got %v", text, err)
		}
		if got, _ := proxies.Client("10.1.2.3:1", []string{"203.0.113.9"}); got != "203.0.113.9" {
			t.Errorf("%q does not trust 10.1.2.3: got %s", text, got)
		}
	}
	if (domain.Proxies{}).Any() {
		t.Error("the zero Proxies trusts somebody")
	}
}

// FuzzClient checks that a client is always an address in its shortest form, and that what a
// client sends can't change what a trusted proxy appends.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{"203.0.113.9", "[2001:db9::5]:443, unknown", "::ffff:1.2.3.4,,", "fe80::1%eth0", "1.2.3.4:5\n"} {
		f.Add("192.0.2.7:5000", seed)
	}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		proxies, err := domain.ParseProxies([]string{"192.0.2.7", "10.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := proxies.Client(peer, strings.Split(forwarded, "\n"))
		if address, err := netip.ParseAddr(got); got != "" && (err != nil || address.String() != got || address.Zone() != "" || address.Is4In6()) {
			t.Fatalf("got %q from %q, %q", got, peer, forwarded)
		}
		if got, doubt := proxies.Client("192.0.2.7:5000", []string{forwarded, "203.0.113.9"}); got != "203.0.113.9" || doubt != domain.NoDoubt {
			t.Fatalf("got %q and the doubt %d from %q", got, doubt, forwarded)
		}
		if got, doubt := proxies.Client("192.0.2.7:5000", []string{forwarded + ", 203.0.113.9, 10.1.1.1"}); got != "203.0.113.9" || doubt != domain.NoDoubt {
			t.Fatalf("got %q and the doubt %d from %q", got, doubt, forwarded)
		}
	})
}
