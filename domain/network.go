package domain

import (
	"net/netip"
	"slices"
	"strings"
)

// NetworkOf returns the network that counts as one client, for limits by address. That is an
// IPv4 address, or the first address of an IPv6 /64, because a subscriber has a /64 alone (RFC
// 6177). It is zero for a text that is not an IP address.
func NetworkOf(address string) netip.Addr {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip
	}
	p, _ := ip.WithZone("").Prefix(64) // an IPv6 address has 128 bits
	return p.Addr()
}

// IsLoopback reports whether host is this machine and nothing else: localhost, in any case, or a loopback address.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// These networks are not those of other people's servers (IANA's registries of special-purpose
// addresses). Those that package netip knows are left out.
var (
	specialIPv4 = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	}
	// publicIPv6 holds all addresses that are given out. What of it is special wraps IPv4 addresses, or is
	// for documents and tests.
	publicIPv6  = netip.MustParsePrefix("2000::/3")
	specialIPv6 = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"),
	}
	// translated holds IPv4 addresses in their last 32 bits (RFC 6052).
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

// IsPublic reports whether the address can be that of a server on the Internet. It is false for private,
// shared, loopback, link-local, multicast and other special addresses, and for an address that wraps one
// of these.
func IsPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	if translated.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	if ip.Is4() {
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(specialIPv4, within)
	}
	return ip.Zone() == "" && publicIPv6.Contains(ip) && !slices.ContainsFunc(specialIPv6, within)
}

// MaySendTo reports whether webhooks may be told of events at the address. private allows addresses that
// are not public too, but none that stands for no host or for several.
func MaySendTo(ip netip.Addr, private bool) bool {
	ip = ip.Unmap()
	return IsPublic(ip) || private && ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
