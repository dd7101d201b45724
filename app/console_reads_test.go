package app_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// readers are an installation with two members, an assistant that only ben may use, a second one, and
// an access token of each member.
type readers struct {
	*world
	ben, eve       domain.Call
	granted, other domain.Project
	tokenOfBen     domain.AccessToken
	tokenOfEve     domain.AccessToken
	byToken, ops   domain.Call
}

func newReaders(t *testing.T) *readers {
	t.Helper()
	w := newWorld(t)
	r := &readers{world: w, granted: w.project(t, "Granted", versionID), other: w.project(t, "Other", versionID[:22]+"bb"), ops: w.operator(t)}
	w.user(t, w.admin, "ben", "member", string(r.granted.ID))
	w.user(t, w.admin, "eve", "member", string(r.granted.ID))
	r.ben, _ = w.login(t, "ben", false)
	r.eve, _ = w.login(t, "eve", false)
	create := func(by domain.Call) app.AccessTokenMade {
		t.Helper()
		made, err := w.CreateAccessToken(t.Context(), by, app.CreateAccessToken{Name: "report", Project: string(r.granted.ID), Password: domain.NewSecret(password)})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	r.tokenOfBen, r.tokenOfEve = create(r.ben).AccessToken, create(r.eve).AccessToken
	r.byToken = domain.Call{Caller: domain.CallerByToken(r.tokenOfBen, domain.RoleMember)}
	return r
}

func TestNamesAreReturnedForIds(t *testing.T) {
	r := newReaders(t)
	ben, eve := r.ben.Caller.ID, r.eve.Caller.ID
	asked := app.NamesAsked{
		Projects: []domain.ProjectID{r.granted.ID, r.other.ID, "unknown"},
		Users:    []domain.UserID{ben, eve, "unknown"},
		Tokens:   []domain.TokenID{r.tokenOfBen.ID, r.tokenOfEve.ID, "unknown"},
	}
	all := app.Names{
		Projects: map[domain.ProjectID]string{r.granted.ID: "Granted", r.other.ID: "Other"},
		Users:    map[domain.UserID]domain.Username{ben: "ben", eve: "eve"},
		Tokens:   map[domain.TokenID]string{r.tokenOfBen.ID: "report", r.tokenOfEve.ID: "report"},
	}
	for _, tc := range []struct {
		name  string
		call  domain.Call
		asked app.NamesAsked
		want  app.Names
	}{
		{"an admin gets all", r.admin, asked, all},
		{"the operator gets all", r.ops, asked, all},
		{"a member gets what is granted and their own", r.ben, asked, app.Names{
			Projects: map[domain.ProjectID]string{r.granted.ID: "Granted"}, Users: map[domain.UserID]domain.Username{ben: "ben"},
			Tokens: map[domain.TokenID]string{r.tokenOfBen.ID: "report"},
		}},
		{"nobody gets nothing", domain.Call{}, asked, app.Names{Projects: map[domain.ProjectID]string{}}},
		{"nothing is asked for", r.admin, app.NamesAsked{}, app.Names{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := r.Names(t.Context(), tc.call, tc.asked)
			if d := cmp.Diff(tc.want, got); d != "" || err != nil {
				t.Errorf("error %v, -want +got:\n%s", err, d)
			}
		})
	}
	if !slices.Equal(asked.Users, []domain.UserID{ben, eve, "unknown"}) {
		t.Errorf("the ids that were asked for became %q", asked.Users)
	}
	_, err := r.Names(t.Context(), r.admin, app.NamesAsked{Users: make([]domain.UserID, domain.MaxNamed+1)})
	wantKind(t, err, domain.Invalid)
}

// TestAUserAndTheirTokensAreReturned asks for a user, and for the access tokens of that user.
func TestAUserAndTheirTokensAreReturned(t *testing.T) {
	r := newReaders(t)
	ben, eve := r.ben.Caller.ID, r.eve.Caller.ID
	for _, tc := range []struct {
		name, id     string
		call         domain.Call
		user, tokens domain.Kind // how it fails
		want         domain.TokenID
	}{
		{"an admin, of another", string(ben), r.admin, "", "", r.tokenOfBen.ID},
		{"an admin, of themselves", string(r.admin.Caller.ID), r.admin, "", "", ""},
		{"the operator", string(eve), r.ops, "", "", r.tokenOfEve.ID},
		{"a member, of themselves", string(ben), r.ben, "", "", r.tokenOfBen.ID},
		{"a member, of another", string(eve), r.ben, domain.NotAllowed, domain.NotAllowed, ""},
		{"a member, of nobody", "01890000-0000-7000-9000-000000000404", r.ben, domain.NotAllowed, domain.NotAllowed, ""},
		{"an admin, of nobody", "01890000-0000-7000-9000-000000000404", r.admin, domain.NotFound, domain.NotFound, ""},
		{"an admin, without an id", " ", r.admin, domain.Invalid, domain.Invalid, ""},
		{"an access token, of its owner", string(ben), r.byToken, domain.NotAllowed, domain.NotAuthenticated, ""},
		{"nobody", string(ben), domain.Call{}, domain.NotAllowed, domain.NotAllowed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := r.GetUser(t.Context(), tc.call, tc.id)
			wantKind(t, err, tc.user)
			if err == nil && string(u.ID) != tc.id {
				t.Errorf("got the user %s", u.ID)
			}
			page, err := r.GetUsersTokens(t.Context(), tc.call, tc.id, domain.Cursor{}, 10)
			wantKind(t, err, tc.tokens)
			var got domain.TokenID
			for _, token := range page.Items {
				got += token.ID
			}
			if got != tc.want {
				t.Errorf("got the tokens %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAnAdminEndsTheTokenOfAnother(t *testing.T) {
	r := newReaders(t)
	wantKind(t, r.DeleteAccessToken(t.Context(), r.eve, string(r.tokenOfBen.ID)), domain.NotFound)
	wantKind(t, r.DeleteAccessToken(t.Context(), r.admin, string(r.tokenOfBen.ID)), "")
	page, err := r.GetUsersTokens(t.Context(), r.ben, string(r.ben.Caller.ID), domain.Cursor{}, 10)
	if err != nil || len(page.Items) != 0 {
		t.Errorf("got %v and error %v", page.Items, err)
	}
}

// TestUsageOfOne counts a call of each member on each project.
func TestUsageOfOne(t *testing.T) {
	r := newReaders(t)
	ben, eve := r.ben.Caller.ID, r.eve.Caller.ID
	day := domain.DayOf(r.now())
	var counts []domain.Usage
	calls := int64(1)
	for _, user := range []domain.UserID{ben, eve} {
		for _, p := range []domain.ProjectID{r.granted.ID, r.other.ID} {
			counts = append(counts, domain.Usage{UsageKey: domain.UsageKey{Day: day, Project: p, User: user, Scope: domain.ScopeConverse}, Calls: calls})
			calls *= 10
		}
	}
	if err := r.store.Ports().Usage.Add(t.Context(), counts, nil); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		call     domain.Call
		in       app.GetUsage
		all, own domain.Kind // how GetUsage and GetOwnUsage fail
		sum      int64       // of GetUsage
		ownSum   int64
	}{
		{"an admin, of everything", r.admin, app.GetUsage{}, "", "", 1111, 0},
		{"an admin, of a project", r.admin, app.GetUsage{Project: string(r.other.ID)}, "", "", 1010, 0},
		{"an admin, of a user", r.admin, app.GetUsage{User: string(eve)}, "", "", 1100, 0},
		{"an admin, of both", r.admin, app.GetUsage{Project: string(r.granted.ID), User: string(eve)}, "", "", 100, 0},
		{"an admin, of an unknown project", r.admin, app.GetUsage{Project: "01890000-0000-7000-8000-000000000404"}, "", "", 0, 0},
		{"an admin, of a Voiceflow project of two", r.admin, app.GetUsage{Project: string(voiceflowID)}, domain.AmbiguousName, domain.AmbiguousName, 0, 0},
		{"an admin, of no id", r.admin, app.GetUsage{Project: "Granted"}, domain.Invalid, domain.Invalid, 0, 0},
		{"a member, of everything", r.ben, app.GetUsage{}, domain.NotAllowed, "", 0, 11},
		{"a member, of a project", r.ben, app.GetUsage{Project: string(r.granted.ID)}, domain.NotAllowed, "", 0, 1},
		{"a member, of another", r.ben, app.GetUsage{User: string(eve)}, domain.NotAllowed, "", 0, 11},
		{"a member, grouped by user", r.eve, app.GetUsage{GroupBy: "user"}, domain.NotAllowed, "", 0, 1100},
		{"an access token", r.byToken, app.GetUsage{}, domain.NotAllowed, domain.NotAuthenticated, 0, 0},
		{"nobody", domain.Call{}, app.GetUsage{}, domain.NotAllowed, domain.NotAuthenticated, 0, 0},
		{"the operator", r.ops, app.GetUsage{}, "", domain.NotAuthenticated, 1111, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page, err := r.GetUsage(t.Context(), tc.call, tc.in, domain.Cursor{}, 100)
			wantKind(t, err, tc.all)
			own, err := r.GetOwnUsage(t.Context(), tc.call, tc.in, domain.Cursor{}, 100)
			wantKind(t, err, tc.own)
			var sum, ownSum int64
			for _, u := range page.Items {
				sum += u.Calls
			}
			for _, u := range own.Items {
				ownSum += u.Calls
			}
			if sum != tc.sum || ownSum != tc.ownSum {
				t.Errorf("got %d and %d of one's own calls, want %d and %d", sum, ownSum, tc.sum, tc.ownSum)
			}
		})
	}
}
