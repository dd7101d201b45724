package oidclogin_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/oidclogin"
	"github.com/flowlatch/flowlatch/adapters/oidclogin/oidclogintest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

const redirectURL = "https://flowlatch.example/oidc/callback"

func TestIdentityProvider(t *testing.T) {
	for name, prepare := range map[string]func(*oidclogintest.Server){
		"groups in the ID token": func(*oidclogintest.Server) {},
		"groups in userinfo":     (*oidclogintest.Server).GroupsInUserinfo,
	} {
		t.Run(name, func(t *testing.T) {
			portstest.IdentityProvider(t, func(t *testing.T, now ports.Clock) (ports.IdentityProvider, portstest.ProviderControl) {
				server := oidclogintest.New(now)
				t.Cleanup(server.Close)
				prepare(server)
				return connect(t, server, now), server
			})
		})
	}
}

// connect returns a Provider for the server.
func connect(t *testing.T, server *oidclogintest.Server, now ports.Clock) *oidclogin.Provider {
	t.Helper()
	return newProvider(t, oidclogin.Options{
		Issuer: server.Issuer(), ClientID: oidclogintest.ClientID, ClientSecret: domain.NewSecret(oidclogintest.ClientSecret), Now: now,
	})
}

func newProvider(t *testing.T, o oidclogin.Options) *oidclogin.Provider {
	t.Helper()
	o.RedirectURL = redirectURL
	p, err := oidclogin.New(o)
	if err != nil {
		t.Fatalf("New: got error %v, want success", err)
	}
	return p
}
