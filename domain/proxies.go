package domain

import (
	"net/netip"
	"strconv"
	"strings"
)

// Proxies are the networks of proxies whose X-Forwarded-For is trusted. The zero Proxies trusts
// nobody. It is safe for concurrent use.
type Proxies struct{ networks []netip.Prefix }

// ParseProxies reads addresses and networks, such as 10.0.0.7, 10.0.0.0/8 and 2001:db8::/32. An
// IPv4 address or network may be written as a part of IPv6, such as ::ffff:10.0.0.0/104. Returns
// Invalid if a text is neither an address nor a network, or has a zone.
func ParseProxies(texts []string) (Proxies, error) {
	var p Proxies
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return Proxies{}, invalid("a trusted proxy must be an address or a network such as 10.0.0.0/8")
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		if network.Addr().Is4In6() {
			const before = 96 // the bits of ::ffff:0:0 (RFC 4291, section 2.5.5.2)
			if network.Bits() < before {
				return Proxies{}, invalid("a trusted proxy must be an address or a network such as 10.0.0.0/8")
			}
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-before)
		}
		p.networks = append(p.networks, network.Masked())
	}
	return p, nil
}

// Any reports whether any proxy is trusted.
func (p Proxies) Any() bool { return len(p.networks) > 0 }

func (p Proxies) trust(address netip.Addr) bool {
	for _, network := range p.networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// Doubt is what is wrong with the X-Forwarded-For of a request.
type Doubt int

// The doubts.
const (
	NoDoubt          Doubt = iota
	UntrustedSender        // it came from an address that is not trusted, and was ignored
	UnreadableSender       // a trusted proxy sent an item that is no address
)

// Client returns the address of the client. peer is the address and port of the connection, as
// net/http has it. forwardedFor holds the values of X-Forwarded-For, in their order.
//
// Each proxy appends the address that it got the request from. So the list is read from the
// right, and the first address that is not trusted counts. If all are trusted, the leftmost
// counts. An item that is no address counts as the proxy that wrote it. The text is "" if the
// connection has no IP address, as a Unix socket has none.
//
// An address may have a port, brackets, a zone, or the form ::ffff:1.2.3.4. The text has none of
// them.
func (p Proxies) Client(peer string, forwardedFor []string) (address string, doubt Doubt) {
	client, ok := readAddress(peer)
	if !ok {
		return "", NoDoubt
	}
	if !p.trust(client) {
		if len(forwardedFor) > 0 {
			doubt = UntrustedSender
		}
		return client.String(), doubt
	}
	for line := len(forwardedFor) - 1; line >= 0; line-- {
		for rest, more := forwardedFor[line], true; more; {
			var item string
			rest, item, more = cutLast(rest)
			if item == "" { // a list may have empty items (RFC 9110, section 5.6.1)
				continue
			}
			before, ok := readAddress(item)
			if !ok {
				return client.String(), UnreadableSender
			}
			if client = before; !p.trust(client) {
				return client.String(), NoDoubt
			}
		}
	}
	return client.String(), NoDoubt
}

// cutLast cuts the last item off a list. more reports whether there are items before it.
func cutLast(list string) (rest, item string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	return list[:max(comma, 0)], strings.Trim(list[comma+1:], " \t"), comma >= 0
}

// readAddress reads an address with or without port, brackets and zone. Azure Application
// Gateway, for one, appends a port:
// https://learn.microsoft.com/azure/application-gateway/how-application-gateway-works
func readAddress(text string) (address netip.Addr, ok bool) {
	host := text
	switch inside, bracketed := strings.CutPrefix(text, "["); {
	case bracketed:
		var port string
		host, port, ok = strings.Cut(inside, "]")
		if !ok || port != "" && !isPort(port) || !strings.Contains(host, ":") {
			return netip.Addr{}, false
		}
	case strings.Count(text, ":") == 1:
		colon := strings.IndexByte(text, ':')
		if !isPort(text[colon:]) {
			return netip.Addr{}, false
		}
		host = text[:colon]
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return address.Unmap().WithZone(""), true
}

// isPort reports whether text is a colon and a number of 16 bits.
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	_, err := strconv.ParseUint(digits, 10, 16)
	return ok && err == nil
}
