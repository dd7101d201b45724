package oidclogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/flowlatch/flowlatch/ports"
)

const (
	// fresh is how long the endpoints are used before they are asked for again.
	fresh = time.Hour
	// retryKnown is how soon a failure to refresh known endpoints is followed by the next try. Until
	// then calls do not wait for a provider that is silent.
	retryKnown = time.Minute
	// retryUnknown is how long a failure is the answer while no endpoints are known. Many presses of a
	// button at once ask once.
	retryUnknown = time.Second
)

// endpoints is what is used of the provider's metadata (OpenID Connect Discovery 1.0, section 3, and
// RP-Initiated Logout 1.0, section 2.1).
type endpoints struct {
	Issuer              string   `json:"issuer"`
	Authorization       string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	Userinfo            string   `json:"userinfo_endpoint"`    // may be empty
	EndSession          string   `json:"end_session_endpoint"` // may be empty
	Keys                string   `json:"jwks_uri"`
	TokenAuthentication []string `json:"token_endpoint_auth_methods_supported"`

	keys oidc.KeySet
}

// discovery remembers the endpoints. Several calls at once ask the provider once.
type discovery struct {
	ask   func() (*endpoints, error)
	now   ports.Clock
	https bool // the issuer uses https, so the endpoints have to

	mu      sync.Mutex
	known   *endpoints // nil if there are none yet
	failure error      // of the last try
	next    time.Time  // when to ask again; before that known or failure is the answer
	running *asking    // nil if nobody asks
}

// asking is one question that is under way.
type asking struct {
	done  chan struct{} // closed when found and err are set
	found *endpoints
	err   error
}

// last returns the endpoints that are known, nil if there are none. It does not ask.
func (d *discovery) last() *endpoints {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known
}

// get returns the endpoints, and asks if it is time. Endpoints that are known stay in use if the provider
// does not answer. Returns Unavailable if none are known.
func (d *discovery) get(ctx context.Context) (*endpoints, error) {
	d.mu.Lock()
	known := d.known
	if d.now().Before(d.next) {
		defer d.mu.Unlock()
		if known == nil {
			return nil, d.failure
		}
		return known, nil
	}
	if d.running == nil {
		d.running = &asking{done: make(chan struct{})}
		go d.run(d.running) // ends by the time limit of the client; a caller who leaves takes no other's answer away
	}
	running := d.running
	d.mu.Unlock()
	select {
	case <-running.done:
	case <-ctx.Done():
		if known != nil {
			return known, nil
		}
		return nil, unavailable(ctx.Err(), "")
	}
	if running.err != nil && known == nil {
		return nil, running.err
	}
	return running.found, nil
}

func (d *discovery) run(a *asking) {
	a.found, a.err = d.ask()
	d.mu.Lock()
	defer d.mu.Unlock()
	pause := fresh
	switch {
	case a.err == nil:
		if d.known != nil && d.known.Keys == a.found.Keys {
			a.found.keys = d.known.keys // with what it remembers
		}
		d.known = a.found
	case d.known != nil:
		a.found, pause = d.known, retryKnown
	default:
		pause = retryUnknown
	}
	d.failure, d.next, d.running = a.err, d.now().Add(pause), nil
	close(a.done)
}

// discover asks for the metadata of the provider and checks them. Returns Unavailable if they can't be
// used.
func (p *Provider) discover() (*endpoints, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	address := strings.TrimSuffix(p.issuer, "/") + "/.well-known/openid-configuration"
	body, err := p.get(ctx, address, "")
	if err != nil {
		return nil, unavailable(fmt.Errorf("discovery: %w", err), "")
	}
	var found endpoints
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, unavailable(fmt.Errorf("discovery: %w", err),
			"what the identity provider answers at "+address+" is no discovery document; an admin has to check FLOWLATCH_OIDC_ISSUER")
	}
	if found.Issuer != p.issuer {
		return nil, unavailable(errors.New("discovery: another issuer"), otherIssuer(p.issuer, found.Issuer))
	}
	if problem := p.unusable(&found); problem != "" {
		return nil, unavailable(errors.New("discovery: "+problem), "the discovery document of the identity provider can't be used: its "+problem)
	}
	found.keys = p.newKeys(found.Keys)
	return &found, nil
}

// otherIssuer says how the issuer of the document differs from the one that is configured.
func otherIssuer(ours, theirs string) string {
	if theirs == "" {
		return "the discovery document of the identity provider names no issuer; an admin has to check FLOWLATCH_OIDC_ISSUER"
	}
	text := fmt.Sprintf("the identity provider calls itself %.300q, but FLOWLATCH_OIDC_ISSUER is %.300q", theirs, ours)
	if strings.TrimSuffix(ours, "/") == strings.TrimSuffix(theirs, "/") {
		text += ": they differ by the slash at the end"
	}
	return text + "; an admin has to set it to exactly what the provider says"
}

// unusable says which endpoint can't be used and why, "" if all can.
func (p *Provider) unusable(found *endpoints) string {
	for _, endpoint := range []struct {
		name, address string
		optional      bool
	}{
		{"authorization_endpoint", found.Authorization, false}, {"token_endpoint", found.Token, false}, {"jwks_uri", found.Keys, false},
		{"userinfo_endpoint", found.Userinfo, true}, {"end_session_endpoint", found.EndSession, true},
	} {
		if endpoint.optional && endpoint.address == "" {
			continue
		}
		u, problem := readURL(endpoint.address)
		if problem == "" && p.found.https && u.Scheme != "https" {
			problem = "is plain http, although the issuer uses https"
		}
		if problem != "" {
			return endpoint.name + " " + problem
		}
	}
	return ""
}
