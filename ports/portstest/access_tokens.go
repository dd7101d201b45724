package portstest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// AccessTokens checks every sentence in the comments of ports.AccessTokens.
func AccessTokens(t *testing.T, open OpenStore) {
	check(t, open, append(append([]sentence{
		{"Create stores the token and the record together", tokenStores},
		{"Create stores the token under its hash", tokenHashed},
		{"Create is NotFound if its user or its project does not exist, and keeps no record", tokenNotFound},
		{"Create by a host's member takes a grant that covers the scopes at that moment", tokenOfHost},
		{"Create is Conflict for a user who has as many tokens as a user can have, expired ones included", tokensBound},
		{"Creates at the same instant keep to the bound", tokensBoundAtOnce},
		{"Page returns at most limit tokens, of the user or of all users, expired or not, and no match is no error", tokensPage},
		{"Page is in the order of the ids, and goes on after the cursor", tokensOrder},
		{"Names returns the names of the tokens among the ids, of a user or of all users, and unknown ids are absent", namesOfTokens},
		{"Page holds no connection after it has returned", tokensConnections},
		{"Remove forgets the token, together with the record", tokenRemoved},
		{"Remove forgets the conversations that the token made, and no other", tokenConversations},
		{"Remove is NotFound for an unknown id, and for another user's token unless the caller may manage", tokenForeign},
		{"of several Removes at the same instant exactly one succeeds", tokenRemovedAtOnce},
		{"a token goes with its user and with its project", tokenGoes},
		{"no token outlives a Remove of its user or its project at the same instant", tokenRace},
		{"Add of the last use records the last use, forward only, and keeps no record", tokenUsed},
		{"Add of the last use ignores tokens that do not exist", tokenUsedUnknown},
		{"Add of the last use reads its times in any zone and keeps microseconds", tokenUsedTimes},
		{"several Adds of last uses of the same tokens at the same instant all succeed, and the latest counts", tokenUsedAtOnce},
	}, rotating...), promises("Tokens")...))
}

// wantTokens fails the test unless the tokens of the user, or with "" of everybody, are
// these.
func (f *fixture) wantTokens(t *testing.T, what string, of domain.UserID, want ...domain.AccessToken) {
	t.Helper()
	got, err := f.Ports.Tokens.Page(t.Context(), of, domain.Cursor{}, 1000)
	wantNil(t, what+": Tokens.Page", err)
	wantSame(t, what+": Tokens.Page", got, want)
}

func behindToken(t domain.AccessToken) domain.Cursor { return domain.Cursor{ID: string(t.ID)} }

// tokenStores has a token of each sort, and names and times at the edges of what they may
// be.
func tokenStores(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	member, admin := f.member(t, "ana"), f.admin(t, "admin")
	plain := f.token(member.ID, p.ID, domain.DefaultScopes())
	wide := f.token(member.ID, p.ID, domain.AllScopes())
	own := f.token(admin.ID, p.ID, domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport))
	own.OwnUsers = true
	limited := f.token(admin.ID, p.ID, domain.DefaultScopes())
	limited.Rate, limited.Open = domain.MaxTokenRate, domain.MaxTokenOpen
	manage := f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManage))
	parts := f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManageProjects, domain.ScopeManageUsers, domain.ScopeManageGrants, domain.ScopeManageAudit))
	odd := f.token(member.ID, p.ID, domain.DefaultScopes())
	odd.Name, odd.Expires = `O'Brien"; -- \ %s 句 🙂`, time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	long := f.token(member.ID, p.ID, domain.DefaultScopes())
	long.Name = strings.Repeat("語", 21) + "x"
	same := f.token(member.ID, p.ID, domain.DefaultScopes())
	same.Name = plain.Name // names may be equal
	used := f.token(member.ID, p.ID, domain.DefaultScopes())
	used.LastUsed = used.Created.Add(time.Minute)
	bounded := f.token(member.ID, p.ID, domain.DefaultScopes())
	bounded.Environments = []string{"main", p.Version, "A-z_0"}
	var all []domain.AccessToken
	for _, token := range []domain.AccessToken{plain, wide, own, limited, manage, parts, odd, long, same, used, bounded} {
		rec := f.record(domain.ActionCreateAccessToken, domain.OnToken(token.ID))
		wantNil(t, "Create", f.Ports.Tokens.Create(t.Context(), makingAct(token, rec), token, tokenHash(token)))
		f.log = append(f.log, rec)
		all = append(all, token)
		f.wantTokens(t, "after Create", "", all...)
	}
	f.wantRecords(t, "after each Create")
}

// tokenOfHost has a user whom a host program identified, and whose grants are kept here.
func tokenOfHost(t *testing.T, f *fixture) {
	p, other := f.addNamed(t, "p"), f.addNamed(t, "other")
	u := f.member(t, "ana")
	create := func(by domain.Caller, scopes domain.Scopes) error {
		token := f.token(u.ID, p.ID, scopes)
		rec := f.record(domain.ActionCreateAccessToken, domain.OnToken(token.ID))
		err := f.Ports.Tokens.Create(t.Context(), domain.Act{By: by, Needs: token.Needs(), Record: rec}, token, tokenHash(token))
		if err == nil {
			f.log = append(f.log, rec)
		}
		return err
	}
	member := domain.Caller{ID: u.ID}
	f.grantScopes(t, u.ID, other.ID, domain.AllScopes())
	wantKind(t, "Create by a host's member without a grant", create(member, domain.DefaultScopes()), domain.NotAllowed)
	f.grantScopes(t, u.ID, p.ID, domain.ScopesOf(domain.ScopeConverse))
	wantNil(t, "Create by a host's member within the grant", create(member, domain.ScopesOf(domain.ScopeConverse)))
	wantKind(t, "Create by a host's member beyond the grant", create(member, domain.ScopesOf(domain.ScopeConverse, domain.ScopeExport)), domain.NotAllowed)
	f.revoke(t, u.ID, p.ID)
	wantKind(t, "Create by a host's member whose grant is gone", create(member, domain.ScopesOf(domain.ScopeConverse)), domain.NotAllowed)
	wantNil(t, "Create by a host's admin", create(domain.Caller{ID: u.ID, Admin: true}, domain.AllScopes()))
	f.wantRecords(t, "after Creates by a host's users")
}

// tokenHashed would show an adapter that mixes up the hashes of two tokens.
func tokenHashed(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, admin := f.member(t, "ana", p.ID), f.admin(t, "admin")
	all := []domain.AccessToken{
		f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.AllScopes())),
		f.issue(t, f.token(admin.ID, "", domain.ScopesOf(domain.ScopeManage))),
	}
	for _, token := range all {
		f.wantTokenCaller(t, "by the hash of a token", token, token.User == admin.ID)
	}
	never := f.token(u.ID, p.ID, domain.DefaultScopes())
	f.wantNoTokenCaller(t, "by a hash under which nothing was stored", tokenHash(never))
}

// tokenNotFound creates tokens with a user or a project, or both, that never existed or were
// removed.
func tokenNotFound(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u, removed := f.member(t, "ana"), f.member(t, "bob")
	f.remove(t, gone.ID)
	f.removeUser(t, removed.ID)
	for name, token := range map[string]domain.AccessToken{
		"of a user who never was":             f.token(userID(404), p.ID, domain.DefaultScopes()),
		"of a user who was removed":           f.token(removed.ID, p.ID, domain.DefaultScopes()),
		"of a user who never was, to manage":  f.token(userID(404), "", domain.ScopesOf(domain.ScopeManage)),
		"for a project that never was":        f.token(u.ID, projectID(404), domain.DefaultScopes()),
		"for a project that was removed":      f.token(u.ID, gone.ID, domain.DefaultScopes()),
		"of nobody for a project that is not": f.token(userID(404), projectID(404), domain.DefaultScopes()),
	} {
		err := f.Ports.Tokens.Create(t.Context(), makingAct(token, f.record(domain.ActionCreateAccessToken, domain.OnToken(token.ID))), token, tokenHash(token))
		wantKind(t, "Create "+name, err, domain.NotFound)
		f.wantTokens(t, "after Create "+name, "")
	}
	f.wantRecords(t, "after Creates that found nothing")
	removed.SetAssistants(nil)
	f.create(t, removed)
	f.add(t, gone)
	f.wantTokens(t, "after the ids came to be there", "")
}

// tokensUpTo stores as many tokens for the user as are missing to have n.
func (f *fixture) tokensUpTo(t *testing.T, n int, user domain.UserID, id domain.ProjectID) {
	t.Helper()
	there, err := f.Ports.Tokens.Page(t.Context(), user, domain.Cursor{}, 10*n)
	wantNil(t, "Page", err)
	for range n - len(there) {
		f.issue(t, f.token(user, id, domain.DefaultScopes()))
	}
}

// tokensBound has tokens of another user beside, which do not count.
func tokensBound(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana", p.ID), f.member(t, "bob", p.ID)
	first := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.tokensUpTo(t, domain.MaxTokens, u.ID, p.ID)
	refused := func(what string) {
		t.Helper()
		token := f.token(u.ID, p.ID, domain.DefaultScopes())
		err := f.Ports.Tokens.Create(t.Context(), makingAct(token, f.record(domain.ActionCreateAccessToken, "t")), token, tokenHash(token))
		wantKind(t, "Create "+what, err, domain.Conflict)
		f.wantNoTokenCaller(t, "by the token that was not made", tokenHash(token))
	}
	refused("of one more than a user can have")
	f.wantRecords(t, "after a Create of one too many")
	f.issue(t, f.token(other.ID, p.ID, domain.DefaultScopes()))
	f.withdraw(t, first.ID)
	f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	refused("of one too many again")
	f.clock.advance(1000 * time.Hour)
	refused("while all others are expired")
	f.wantRecords(t, "after Creates of one too many")
}

// tokensBoundAtOnce fails for an adapter that counts first and stores the token then.
func tokensBoundAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	const n = 24
	for range 2 {
		f.tokensUpTo(t, domain.MaxTokens-2, u.ID, p.ID)
		tokens, recs, errs := make([]domain.AccessToken, n), make([]domain.Record, n), make([]error, n)
		for i := range n {
			tokens[i] = f.token(u.ID, p.ID, domain.DefaultScopes())
			recs[i] = f.record(domain.ActionCreateAccessToken, domain.OnToken(tokens[i].ID))
		}
		atOnce(n, func(i int) {
			errs[i] = at[i%len(at)].Ports.Tokens.Create(t.Context(), makingAct(tokens[i], recs[i]), tokens[i], tokenHash(tokens[i]))
		})
		var written []domain.Record
		for i, err := range errs {
			if err == nil {
				written = append(written, recs[i])
				continue
			}
			wantKind(t, fmt.Sprintf("one of %d Creates at the same instant", n), err, domain.Conflict)
		}
		wantSame(t, fmt.Sprintf("how many of %d Creates at the same instant succeeded where two may", n), len(written), 2)
		f.wantRecordsInAnyOrder(t, "after Creates at the same instant", written)
		got, err := f.Ports.Tokens.Page(t.Context(), u.ID, domain.Cursor{}, 10*domain.MaxTokens)
		wantNil(t, "Page", err)
		wantSame(t, "how many tokens the user has then", len(got), domain.MaxTokens)
		for _, token := range got[:2] {
			f.withdraw(t, token.ID)
		}
	}
}

// tokensPage has tokens that are over among the others.
func tokensPage(t *testing.T, f *fixture) {
	f.wantTokens(t, "without any", "")
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana"), f.member(t, "bob")
	var all, ofUser []domain.AccessToken
	for n := range 5 {
		token := f.token([]domain.UserID{u.ID, other.ID}[n%2], p.ID, domain.DefaultScopes())
		token.Expires = token.Created.Add(time.Duration(n+1) * time.Hour)
		all = append(all, f.issue(t, token))
		if n%2 == 0 {
			ofUser = append(ofUser, token)
		}
	}
	f.clock.set(all[1].Expires.Add(time.Minute))
	for limit := 1; limit <= 6; limit++ {
		for of, want := range map[domain.UserID][]domain.AccessToken{"": all, u.ID: ofUser} {
			got, err := f.Ports.Tokens.Page(t.Context(), of, domain.Cursor{}, limit)
			wantNil(t, "Page", err)
			wantSame(t, fmt.Sprintf("Page of %d tokens with the limit %d", len(want), limit), got, want[:min(limit, len(want))])
		}
	}
	for what, page := range map[string]func() ([]domain.AccessToken, error){
		"behind the last token": func() ([]domain.AccessToken, error) {
			return f.Ports.Tokens.Page(t.Context(), "", behindToken(all[4]), 10)
		},
		"of somebody without one": func() ([]domain.AccessToken, error) {
			return f.Ports.Tokens.Page(t.Context(), userID(404), domain.Cursor{}, 10)
		},
		"of a wildcard": func() ([]domain.AccessToken, error) {
			return f.Ports.Tokens.Page(t.Context(), "%", domain.Cursor{}, 10)
		},
	} {
		got, err := page()
		wantNil(t, "Page "+what, err)
		wantSame(t, "Page "+what, got, []domain.AccessToken{})
	}
	f.wantRecords(t, "after Pages, which keep none")
}

// tokensOrder stores the tokens in an order that is neither that of their ids nor its
// reverse.
func tokensOrder(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other := f.member(t, "ana"), f.member(t, "bob")
	all := map[domain.UserID][]domain.AccessToken{}
	for n := range 12 {
		token := f.token([]domain.UserID{u.ID, other.ID}[n/2%2], p.ID, domain.DefaultScopes())
		token.ID = tokenID(1000 + n ^ 5)
		f.issue(t, token)
		all[""], all[token.User] = append(all[""], token), append(all[token.User], token)
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b domain.AccessToken) int { return cmp.Compare(a.ID, b.ID) })
	}
	for of, want := range all {
		for limit := 1; limit <= len(want)+1; limit++ {
			var got []domain.AccessToken
			for at := (domain.Cursor{}); len(got) <= len(want); {
				page, err := f.Ports.Tokens.Page(t.Context(), of, at, limit)
				wantNil(t, "Page", err)
				if len(page) > limit {
					t.Fatalf("Page with the limit %d: got %d tokens", limit, len(page))
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				at = behindToken(page[len(page)-1])
			}
			wantSame(t, fmt.Sprintf("the tokens of %q, paged by %d", of, limit), got, want)
		}
	}
	gone := all[""][3]
	f.withdraw(t, gone.ID)
	got, err := f.Ports.Tokens.Page(t.Context(), "", behindToken(gone), 1)
	wantNil(t, "Page behind a token that is gone", err)
	wantSame(t, "Page behind a token that is gone", got, all[""][4:5])
}

// tokensConnections reads more pages than any pool has connections.
func tokensConnections(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	for range 3 {
		f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 200 {
		_, err := f.Ports.Tokens.Page(ctx, "", domain.Cursor{}, 1)
		wantNil(t, fmt.Sprintf("Page, the %dth time", n+1), err)
	}
	token := f.token(u.ID, p.ID, domain.DefaultScopes())
	wantNil(t, "Create after 200 pages", f.Ports.Tokens.Create(ctx, makingAct(token, f.record(domain.ActionCreateAccessToken, "after")), token, tokenHash(token)))
}

// tokenRemoved creates a token again, with the removed token's id and hash.
func tokenRemoved(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	first, second, third := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.withdraw(t, second.ID)
	f.wantTokens(t, "after Remove", "", first, third)
	rec := f.record(domain.ActionDeleteAccessToken, domain.OnToken(first.ID))
	wantNil(t, "Remove with the user whose it is", f.Ports.Tokens.Remove(t.Context(), actOf(u.ID, rec), first.ID))
	f.log = append(f.log, rec)
	f.wantTokens(t, "after Remove with the user whose it is", u.ID, third)
	f.wantRecords(t, "after each Remove")
	f.clock.set(third.Expires)
	f.withdraw(t, third.ID)
	f.wantTokens(t, "after Remove of one that was over", "")
	f.wantRecords(t, "after Remove of one that was over")
}

func tokenConversations(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana", p.ID)
	goes, stays := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	session := f.set(t, f.under(f.login(t, u), p.ID))
	gone := []domain.Conversation{
		f.converse(t, f.conversation(domain.Session{}, goes)), f.converse(t, f.conversation(domain.Session{}, goes)),
	}
	kept := []domain.Conversation{
		f.converse(t, f.conversation(domain.Session{}, stays)), f.converse(t, f.conversation(session, domain.AccessToken{})),
	}
	f.withdraw(t, goes.ID)
	f.wantNoConversation(t, "of the token that was removed", gone...)
	f.wantConversation(t, "of others", kept...)
	f.issue(t, goes)
	f.wantNoConversation(t, "of the token, after the same id was created again", gone...)
}

// tokenForeign tries what is another's, and what went.
func tokenForeign(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u, other, admin := f.member(t, "ana"), f.member(t, "bob"), f.admin(t, "admin")
	token, removed := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.withdraw(t, removed.ID)
	for _, tc := range []struct {
		name string
		id   domain.TokenID
		of   domain.UserID
	}{
		{"an id that never was", tokenID(404), ""},
		{"an id that never existed, with a user", tokenID(404), u.ID},
		{"an id that was removed", removed.ID, ""},
		{"no id", "", ""},
		{"a wildcard", "%", ""},
		{"a token of somebody else", token.ID, other.ID},
		{"a token of somebody else, by an admin who is named", token.ID, admin.ID},
		{"a token, with a user who does not exist", token.ID, userID(404)},
	} {
		err := f.Ports.Tokens.Remove(t.Context(), actOf(tc.of, f.record(domain.ActionDeleteAccessToken, domain.OnToken(tc.id))), tc.id)
		wantKind(t, "Remove of "+tc.name, err, domain.NotFound)
		f.wantTokens(t, "after Remove of "+tc.name, "", token)
	}
	f.wantRecords(t, "after Removes that found nothing")
}

func tokenRemovedAtOnce(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	token := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	at := f.instances(t)
	recs, errs := make([]domain.Record, crowd), make([]error, crowd)
	for i := range recs {
		recs[i] = f.record(domain.ActionDeleteAccessToken, domain.OnToken(token.ID))
	}
	atOnce(crowd, func(i int) {
		errs[i] = at[i%len(at)].Ports.Tokens.Remove(t.Context(), actOf([]domain.UserID{"", u.ID}[i%2], recs[i]), token.ID)
	})
	one := onlySuccess(t, "Remove", errs)
	for i, err := range errs {
		if i != one {
			wantKind(t, fmt.Sprintf("one of the other %d Removes", crowd-1), err, domain.NotFound)
		}
	}
	f.wantTokens(t, "after many Removes at the same instant", "")
	f.wantRecordsInAnyOrder(t, "after many Removes at the same instant", []domain.Record{recs[one]})
}

// tokenGoes adds the same ids again, which brings to light what was left behind.
func tokenGoes(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	u, removed := f.member(t, "ana"), f.admin(t, "bob")
	stays := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.issue(t, f.token(u.ID, gone.ID, domain.DefaultScopes()))
	f.issue(t, f.token(removed.ID, p.ID, domain.DefaultScopes()))
	f.issue(t, f.token(removed.ID, "", domain.ScopesOf(domain.ScopeManage)))
	f.remove(t, gone.ID)
	f.removeUser(t, removed.ID)
	f.wantTokens(t, "after a project and a user went", "", stays)
	f.add(t, gone)
	f.create(t, removed)
	f.wantTokens(t, "after the same ids are there again", "", stays)
	f.wantRecords(t, "after a project and a user went")

	// A token outlives the removal of a grant and a change of its user, because its rights are
	// looked up.
	f.grant(t, u.ID, p.ID)
	f.revoke(t, u.ID, p.ID)
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleAdmin })
	f.update(t, u.ID, func(u *domain.User) { u.Role = domain.RoleMember })
	f.update(t, u.ID, func(u *domain.User) { u.Disabled = true })
	f.wantTokens(t, "after changes of the user", "", stays)
}

// tokenRace fails for an adapter that looks for the user and the project first and stores
// the token then.
func tokenRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	const creates = 4
	for round := range rounds {
		p := f.addNamed(t, "p")
		u := f.member(t, domain.Username(fmt.Sprintf("user%d", round)))
		recs, errs, tokens := make([]domain.Record, creates+1), make([]error, creates+1), make([]domain.AccessToken, creates)
		for i := range tokens {
			tokens[i] = f.token(u.ID, p.ID, domain.DefaultScopes())
			recs[i] = f.record(domain.ActionCreateAccessToken, domain.OnToken(tokens[i].ID))
		}
		recs[creates] = f.record(domain.ActionDeleteUser, "what the tokens are of")
		atOnce(creates+1, func(i int) {
			switch {
			case i < creates:
				errs[i] = at[i%len(at)].Ports.Tokens.Create(t.Context(), makingAct(tokens[i], recs[i]), tokens[i], tokenHash(tokens[i]))
			case round%2 == 0:
				errs[i] = f.Ports.Projects.Remove(t.Context(), byOperator(recs[i]), p.ID)
			default:
				errs[i] = f.Ports.Users.Remove(t.Context(), byOperator(recs[i]), u.ID, agree)
			}
		})
		wantNil(t, "Remove of a user or a project during Creates", errs[creates])
		var written []domain.Record
		for i, err := range errs {
			if err == nil {
				written = append(written, recs[i])
			} else {
				wantKind(t, "Create during Remove of its user or its project", err, domain.NotFound)
			}
		}
		f.wantTokens(t, "after Creates during Remove of their user or their project", "")
		f.wantRecordsInAnyOrder(t, "after Creates during Remove", written)
	}
}

// usedTokens records uses, which must succeed.
func (f *fixture) usedTokens(t *testing.T, last map[domain.TokenID]time.Time) {
	t.Helper()
	wantNil(t, "Add of the last use", f.Ports.Usage.Add(t.Context(), nil, last))
}

func tokenUsed(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	one, other, never := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	began := one.Created
	for _, step := range []struct {
		name       string
		last       map[domain.TokenID]time.Duration // since they began
		one, other time.Duration
	}{
		{"the first use of one", map[domain.TokenID]time.Duration{one.ID: time.Minute}, time.Minute, 0},
		{"a later use of one and the first of another", map[domain.TokenID]time.Duration{one.ID: 3 * time.Minute, other.ID: time.Minute}, 3 * time.Minute, time.Minute},
		{"an earlier use that arrives late, and a later one", map[domain.TokenID]time.Duration{one.ID: 2 * time.Minute, other.ID: 2 * time.Minute}, 3 * time.Minute, 2 * time.Minute},
		{"the same uses again", map[domain.TokenID]time.Duration{one.ID: 3 * time.Minute, other.ID: 2 * time.Minute}, 3 * time.Minute, 2 * time.Minute},
		{"a microsecond later", map[domain.TokenID]time.Duration{one.ID: 3*time.Minute + time.Microsecond}, 3*time.Minute + time.Microsecond, 2 * time.Minute},
		{"no use", map[domain.TokenID]time.Duration{}, 3*time.Minute + time.Microsecond, 2 * time.Minute},
	} {
		last := map[domain.TokenID]time.Time{}
		for id, after := range step.last {
			last[id] = began.Add(after)
		}
		f.usedTokens(t, last)
		one.LastUsed = began.Add(step.one)
		if step.other > 0 {
			other.LastUsed = began.Add(step.other)
		}
		f.wantTokens(t, "after Add of the last use with "+step.name, "", one, other, never)
	}
	f.usedTokens(t, nil)
	f.clock.set(one.Expires)
	f.usedTokens(t, map[domain.TokenID]time.Time{never.ID: began.Add(time.Hour)}) // its last use may be told late
	never.LastUsed = began.Add(time.Hour)
	f.wantTokens(t, "after Add of the last use of one that is over", "", one, other, never)
	f.wantRecords(t, "after Adds of last uses, which keep none")
}

func tokenUsedUnknown(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	token, removed := f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes())), f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	f.withdraw(t, removed.ID)
	token.LastUsed = token.Created.Add(time.Minute)
	f.usedTokens(t, map[domain.TokenID]time.Time{removed.ID: token.LastUsed, tokenID(404): token.LastUsed, token.ID: token.LastUsed})
	f.wantTokens(t, "after Add of the last use of tokens, one of them known", "", token)
	f.usedTokens(t, map[domain.TokenID]time.Time{removed.ID: token.LastUsed})
	f.wantTokens(t, "after Add of the last use of one that does not exist", "", token)
}

// tokenUsedTimes hands in what time.Now returns: nanoseconds, in a zone.
func tokenUsedTimes(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	token := f.issue(t, f.token(f.member(t, "ana").ID, p.ID, domain.DefaultScopes()))
	token.LastUsed = token.Created.Add(time.Minute)
	f.usedTokens(t, map[domain.TokenID]time.Time{token.ID: token.LastUsed.Add(999).In(time.FixedZone("far", -9*60*60))})
	f.wantTokens(t, "after Add of the last use with nanoseconds and in another zone", "", token)
}

// tokenUsedAtOnce names the tokens in maps, so in any order: an adapter that locks them in
// that order blocks itself.
func tokenUsedAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	u := f.member(t, "ana")
	all := make([]domain.AccessToken, 12)
	for i := range all {
		all[i] = f.issue(t, f.token(u.ID, p.ID, domain.DefaultScopes()))
	}
	errs := make([]error, crowd)
	atOnce(crowd, func(i int) {
		last := map[domain.TokenID]time.Time{}
		for _, token := range all {
			last[token.ID] = token.Created.Add(time.Duration((i*29)%crowd+1) * time.Second) // every number of seconds once, mixed
		}
		errs[i] = at[i%len(at)].Ports.Usage.Add(t.Context(), nil, last)
	})
	for _, err := range errs {
		wantNil(t, fmt.Sprintf("one of %d Adds of last uses at the same instant", crowd), err)
	}
	for i := range all {
		all[i].LastUsed = all[i].Created.Add(crowd * time.Second)
	}
	f.wantTokens(t, "after many Adds of last uses at the same instant", "", all...)
}
