package domain

import "net/netip"

// NetworkOf is what counts as one client where a limit is by address. That is an IPv4 address, or
// the first address of an IPv6 /64, which a subscriber has alone (RFC 6177). It is zero for a
// text that is not an IP address.
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
