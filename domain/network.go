package domain

import (
	"net/netip"
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
