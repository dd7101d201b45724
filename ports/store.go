package ports

import "fmt"

// Store is one database. Its views are given together, since what one of them writes the
// others see at once, on every instance.
type Store struct {
	Projects      ProjectRepository
	Grants        Grants
	Users         UserRepository
	Sessions      SessionStore
	SignOns       SignOns
	GroupRules    GroupRules
	Webhooks      Webhooks
	Access        Access
	Tokens        AccessTokens
	Conversations Conversations
	Usage         Usage
	Audit         AuditLog
	Chain         AuditChain
	Checks        AuditChecks
	Sealings      Sealings
	Installation  Installation
	Sweeper       Sweeper
}

// Check returns an error that names a view that is missing. It does no I/O.
func (s Store) Check() error {
	for _, view := range []struct {
		name string
		is   any
	}{
		{"Projects", s.Projects}, {"Grants", s.Grants}, {"Users", s.Users}, {"Sessions", s.Sessions},
		{"Access", s.Access}, {"Tokens", s.Tokens}, {"Conversations", s.Conversations}, {"Usage", s.Usage},
		{"Audit", s.Audit}, {"Chain", s.Chain}, {"Checks", s.Checks}, {"Sealings", s.Sealings}, {"Installation", s.Installation},
		{"Webhooks", s.Webhooks}, {"Sweeper", s.Sweeper},
	} {
		if view.is == nil {
			return fmt.Errorf("ports: the Store has no %s", view.name)
		}
	}
	return nil
}
