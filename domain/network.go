package domain

import "net/netip"

// NetworkOf is what counts as one address where something is bounded by address: an IPv4
// address, or the /64 that a subscriber of IPv6 has for themselves alone (RFC 6177), by
// its first address. It is zero for what is no IP address.
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
