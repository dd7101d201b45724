package console

import (
	"net/netip"

	"github.com/flowlatch/flowlatch/domain"
)

// baseURL returns where clients find the service: as the settings say, or as this request did. It has
// no slash at its end.
func (x *request) baseURL() string {
	if x.console.base.Origin != "" {
		return x.console.base.String()
	}
	r := x.Request()
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	base, err := domain.ParseBaseURL(scheme + r.Host)
	if err != nil { // a command with this host would not be safe to paste
		return "https://flowlatch.example.com"
	}
	return base.String()
}

// recipe returns a command by which a program talks to an assistant.
func (x *request) recipe() string {
	return "curl -sS --fail-with-body " + x.baseURL() + "/voiceflow/general-runtime/state/user/ben/interact \\\n" +
		"  -H 'Authorization: flk_…' -H 'Content-Type: application/json' \\\n" +
		"  -d '{\"action\": {\"type\": \"launch\"}}'"
}

// isLocal reports whether the address leads to the machine of whoever uses it.
func isLocal(address string) bool {
	base, err := domain.ParseBaseURL(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(base.Host())
	return base.Host() == "localhost" || err == nil && ip.IsLoopback()
}
