package domain_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhoseBudgetACallCountsAgainst(t *testing.T) {
	token := func(rate, open int) domain.AccessToken {
		return domain.AccessToken{ID: "t", User: "u", Project: uuid, Rate: rate, Open: open}
	}
	byToken := func(role domain.Role, rate, open int) domain.Access {
		return domain.Access{Caller: domain.CallerByToken(token(rate, open), role), Token: token(rate, open)}
	}
	user, own := domain.Budget{Who: "user:u"}, func(limit int) domain.Budget { return domain.Budget{Who: "token:t", Limit: limit} }
	for _, tc := range []struct {
		name       string
		access     domain.Access
		rate, open domain.Budget
	}{
		{"a login counts against its user", domain.Access{Caller: domain.CallerByLogin(domain.Session{ID: "l", User: "u"}, domain.RoleMember)}, user, user},
		{"a host's user counts against themselves", domain.Access{Caller: domain.Caller{ID: "u"}}, user, user},
		{"a member's token counts against the member", byToken(domain.RoleMember, 0, 0), user, user},
		{"an admin's token counts against the admin", byToken(domain.RoleAdmin, 0, 0), user, user},
		{"a token with both limits counts against itself", byToken(domain.RoleAdmin, 600, 8), own(600), own(8)},
		{"a token with a rate shares the open calls", byToken(domain.RoleAdmin, 600, 0), own(600), user},
		{"a token with a limit of open calls shares the rate", byToken(domain.RoleAdmin, 0, 8), user, own(8)},
		{"limits are gone with the role of the owner", byToken(domain.RoleMember, 600, 8), user, user},
		{"limits below zero are none", byToken(domain.RoleAdmin, -1, -1), user, user},
	} {
		t.Run(tc.name, func(t *testing.T) {
			turn, read := domain.Endpoint{Method: "POST"}, domain.Endpoint{Method: "GET"}
			reads := tc.rate
			reads.Reads = true
			if got, open := tc.access.RateBudget(&turn), tc.access.OpenBudget(); got != tc.rate || open != tc.open {
				t.Errorf("a turn: got %v and %v, want %v and %v", got, open, tc.rate, tc.open)
			}
			if got := tc.access.RateBudget(&read); got != reads {
				t.Errorf("a read: got %v, want %v", got, reads)
			}
		})
	}
}
