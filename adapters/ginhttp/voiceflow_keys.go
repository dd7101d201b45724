package ginhttp

import (
	"net/url"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// credentialHeaders are the headers in which clients send keys of APIs. Voiceflow itself reads
// Authorization only.
var credentialHeaders = []string{
	"Authorization", "Proxy-Authorization", "X-Authorization", "X-Api-Key", "Api-Key", "Apikey", "X-Auth-Token", "X-Access-Token",
}

// checkNoVoiceflowKey returns NotAuthenticated if the request shows a Voiceflow key as a credential,
// in a header or in the query. It comes before everything that looks at credentials: the key is not
// hashed, looked up or stored, and it does not count what else the request shows. A route for anyone
// takes no credential, but every path where a forwarded call could be does, also one without a route.
func (x *exchange) checkNoVoiceflowKey() error {
	if x.route.who == anyone && !x.belowVoiceflow() {
		return nil
	}
	r := x.c.Request
	for _, name := range credentialHeaders {
		for _, value := range r.Header[name] {
			if holdsVoiceflowKey(value) {
				return domain.VoiceflowKeySent()
			}
		}
	}
	return noVoiceflowKeyIn(r.URL.RawQuery)
}

// noVoiceflowKeyIn is checkNoVoiceflowKey for the query.
func noVoiceflowKeyIn(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !namesCredential(name) {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil && holdsVoiceflowKey(plain) {
			return domain.VoiceflowKeySent()
		}
	}
	return nil
}

// holdsVoiceflowKey reports whether a part of the value looks like a Voiceflow key. The parts of a
// value of Authorization are the scheme, such as Bearer, and the credential. Some clients send the
// quotes of their settings too.
func holdsVoiceflowKey(value string) bool {
	for part := range strings.FieldsSeq(value) {
		if domain.LooksLikeVoiceflowKey(domain.NewSecret(strings.Trim(part, `"',;`))) {
			return true
		}
	}
	return false
}

// namesCredential reports whether a parameter of the query is one in which clients send keys.
func namesCredential(name string) bool {
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "authorization", "auth", "apikey", "key", "token", "accesstoken":
		return true
	}
	return false
}
