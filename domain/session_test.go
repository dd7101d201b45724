package domain_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

func TestTheUseOfASessionMovesItForward(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	was := domain.Session{ID: "s", User: "u", LastUsed: at(10), Idle: at(40), Expires: at(90), SealedBy: "k"}
	session := func(used, idle int, by domain.KeyID) domain.Session {
		s := was
		s.LastUsed, s.Idle, s.SealedBy = at(used), at(idle), by
		return s
	}
	for _, tc := range []struct {
		name string
		use  domain.SessionUse
		want domain.Session
	}{
		{"nothing to record changes nothing", domain.SessionUse{}, was},
		{"a later use moves both times", domain.SessionUse{At: at(11), Idle: at(41)}, session(11, 41, "k")},
		{"an earlier use that arrives later changes nothing", domain.SessionUse{At: at(9), Idle: at(39)}, was},
		{"each time moves for itself", domain.SessionUse{At: at(11), Idle: at(39)}, session(11, 40, "k")},
		{"times are kept as instants in UTC", domain.SessionUse{At: at(11).Add(999).In(time.FixedZone("", 3600)), Idle: at(41).Add(999)}, session(11, 41, "k")},
		{"a cookie under another key", domain.SessionUse{SealedBy: "l"}, session(10, 40, "l")},
		{"a later use with a cookie under another key", domain.SessionUse{At: at(11), Idle: at(41), SealedBy: "l"}, session(11, 41, "l")},
		{"an earlier use with a cookie under another key", domain.SessionUse{At: at(9), Idle: at(39), SealedBy: "l"}, session(10, 40, "l")},
		{"without a time the idle end does not move", domain.SessionUse{Idle: at(41), SealedBy: "l"}, session(10, 40, "l")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, was.UsedBy(tc.use)); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhichSessionsAreNamedToEnd(t *testing.T) {
	own := domain.Session{ID: "s", User: "u", SealedBy: "k"}
	others := domain.Session{ID: "t", User: "v", SealedBy: "l"}
	unknown := domain.Session{ID: "x", User: "v"}
	member, admin := domain.Caller{ID: "u"}, domain.Caller{ID: "u", Admin: true}
	for _, tc := range []struct {
		name                 string
		which                domain.SessionsToEnd
		by                   domain.Caller
		own, others, unknown bool
	}{
		{"one of a member's own", domain.OneSession("s"), member, true, false, false},
		{"one of somebody else's is not a member's to end", domain.OneSession("t"), member, false, false, false},
		{"one of somebody else's, by an admin", domain.OneSession("t"), admin, false, true, false},
		{"one that does not exist", domain.OneSession("y"), admin, false, false, false},
		{"all of a member's own", domain.SessionsOf("u"), member, true, false, false},
		{"all of somebody else's are not a member's to end", domain.SessionsOf("v"), member, false, false, false},
		{"all of somebody else's, by an admin", domain.SessionsOf("v"), admin, false, true, true},
		{"those that a key sealed", domain.SessionsSealedBy("l", false), domain.Operator(), false, true, false},
		{"those whose key is unknown", domain.SessionsSealedBy("", false), domain.Operator(), false, false, true},
		{"those that a key sealed are a member's to end if they are their own", domain.SessionsSealedBy("l", false), member, false, false, false},
		{"the zero one names none", domain.SessionsToEnd{}, domain.Operator(), false, false, false},
		{"no id names none", domain.OneSession(""), domain.Operator(), false, false, false},
		{"no user names none", domain.SessionsOf(""), domain.Operator(), false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, s := range []struct {
				domain.Session
				want bool
			}{{own, tc.own}, {others, tc.others}, {unknown, tc.unknown}} {
				if got := tc.which.Names(s.Session, tc.by); got != s.want {
					t.Errorf("the session %s: got %v, want %v", s.ID, got, s.want)
				}
			}
		})
	}
}

func TestWhichHandlesAreNamedToEnd(t *testing.T) {
	for _, tc := range []struct {
		name       string
		which      domain.SessionsToEnd
		by         domain.KeyID
		wantHandle bool
	}{
		{"with handles, those that the key sealed", domain.SessionsSealedBy("k", true), "k", true},
		{"with handles, not those that another key sealed", domain.SessionsSealedBy("k", true), "l", false},
		{"with handles, those whose key is unknown", domain.SessionsSealedBy("", true), "", true},
		{"without handles none", domain.SessionsSealedBy("k", false), "k", false},
		{"by user none", domain.SessionsOf("u"), "", false},
		{"by id none", domain.OneSession("s"), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.which.NamesHandle(domain.Conversation{HandleSealedBy: tc.by}, domain.Operator()); got != tc.wantHandle {
				t.Errorf("got %v, want %v", got, tc.wantHandle)
			}
		})
	}
	for name, by := range map[string]domain.Caller{"a member": {ID: "u"}, "an admin by a token that does not manage": {ID: "u", Admin: true, Token: "t"}} {
		which := domain.SessionsSealedBy("k", true)
		if which.Names(domain.Session{User: "u", SealedBy: "k"}, by) || which.NamesHandle(domain.Conversation{HandleSealedBy: "k"}, by) {
			t.Errorf("%s may end what a key sealed", name)
		}
	}
	for _, which := range []domain.SessionsToEnd{domain.OneSession("s"), domain.SessionsOf("u"), {}} {
		if key, handles, ok := which.SealedBy(); ok || handles || key != "" {
			t.Errorf("%+v is by the key %q", which, key)
		}
	}
	if key, handles, ok := domain.SessionsSealedBy("", true).SealedBy(); !ok || !handles || key != "" {
		t.Error("those whose key is unknown are not by key")
	}
	if domain.OneSession("s").ID() != "s" || domain.OneSession("s").User() != "" || domain.SessionsOf("u").User() != "u" || domain.SessionsOf("u").ID() != "" {
		t.Error("what names one session or the sessions of a user does not say so")
	}
}

func TestWhoIsAdmittedToAnAssistant(t *testing.T) {
	opens := domain.Project{ID: uuid, Primary: domain.Key{Status: domain.KeyOK}}
	closed := domain.Project{ID: uuid, Primary: domain.Key{Status: domain.KeyNeedsReentry}}
	for _, tc := range []struct {
		name    string
		byRole  bool
		admin   bool
		granted domain.Scopes
		p       domain.Project
		kind    domain.Kind
	}{
		{"an admin by role", true, true, 0, opens, ""},
		{"a former admin by role", true, false, domain.AllScopes(), opens, domain.NotAllowed},
		{"an admin by role, without a project", true, true, 0, domain.Project{}, domain.NotFound},
		{"a former admin by role, without a project", true, false, 0, domain.Project{}, domain.NotAllowed},
		{"a member by grant", false, false, domain.DefaultScopes(), opens, ""},
		{"a member without a grant", false, false, 0, opens, domain.NotAllowed},
		{"an admin by a grant that is gone", false, true, 0, opens, domain.NotAllowed},
		{"a member without a grant or a project", false, false, 0, domain.Project{}, domain.NotAllowed},
		{"an admin, to a project whose key does not open", true, true, 0, closed, domain.NeedsReentry},
		{"a member without a grant, to a project whose key does not open", false, false, 0, closed, domain.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := domain.Session{Kind: domain.AssistantSession, User: "u", ByRole: tc.byRole, Project: uuid}
			wantKind(t, s.Admit(domain.Caller{ID: "u", Admin: tc.admin}, tc.granted, tc.p), tc.kind)
		})
	}
}

func TestTheOldestSessionsMakeRoom(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	session := func(id string, age time.Duration) domain.Session {
		return domain.Session{ID: domain.SessionID(id), Created: now.Add(-age)}
	}
	many := func(n int) []domain.Session {
		all := make([]domain.Session, n)
		for i := range all {
			all[i] = session(fmt.Sprintf("young %03d", i), time.Minute)
		}
		return all
	}
	opened := session("opened", 0)
	for _, tc := range []struct {
		name string
		live []domain.Session
		want []domain.SessionID
	}{
		{"the first session displaces none", nil, nil},
		{"the last one that fits displaces none", many(domain.MaxSessions - 1), nil},
		{"one more displaces the oldest", append(many(domain.MaxSessions-1), session("old", time.Hour)), []domain.SessionID{"old"}},
		{"it does not matter whether it is among the live ones", append(many(domain.MaxSessions-1), opened, session("old", time.Hour)), []domain.SessionID{"old"}},
		{"of sessions of the same age the smaller id goes", many(domain.MaxSessions), []domain.SessionID{"young 000"}},
		{"many too many all go", append(many(domain.MaxSessions-1), session("b", time.Hour), session("a", 2*time.Hour), session("c", time.Minute+1)),
			[]domain.SessionID{"a", "b", "c"}},
		{"a session from the future displaces others all the same", append(many(domain.MaxSessions-1), session("later", -time.Hour)), []domain.SessionID{"young 000"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := opened.Displaces(tc.live); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
