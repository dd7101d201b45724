package portstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Conversations checks every sentence in the comments of ports.Conversations.
func Conversations(t *testing.T, open OpenStore) {
	check(t, open, append([]sentence{
		{"Open stores the conversation", conversationStores},
		{"Open replaces the conversation of its project with the same user id, and no other", conversationReplaces},
		{"of several Opens with one user id at the same instant one conversation remains", conversationAtOnce},
		{"Open of a project that does not exist is NotFound", conversationNotFound},
		{"a conversation goes with its project", conversationGoes},
		{"no conversation outlives a Remove of its project at the same instant", conversationRace},
		{"Renew replaces the session key from with to, and returns to", renewReplaces},
		{"Renew changes nothing if from is gone, and returns the stored key", renewLate},
		{"Renew of an unknown id is NotFound", renewUnknown},
		{"of several Renews at the same instant one succeeds, and all return its key", renewAtOnce},
		{"no method keeps a record", conversationRecords},
	}, promises("Conversations")...))
}

// none is no session key of any conversation: a Renew from it changes nothing.
var none = domain.Sealed{Key: "none", Bytes: []byte("none")}

// wantConversation fails the test unless each conversation is there with its key.
func (f *fixture) wantConversation(t *testing.T, what string, all ...domain.Conversation) {
	t.Helper()
	for _, c := range all {
		got, err := f.Ports.Conversations.Renew(t.Context(), c.ID, none, none)
		wantNil(t, what+": Renew of a conversation that is there", err)
		wantSame(t, what+": its session key", got, c.Key)
	}
}

// wantNoConversation fails the test when one of the conversations is there.
func (f *fixture) wantNoConversation(t *testing.T, what string, all ...domain.Conversation) {
	t.Helper()
	for _, c := range all {
		got, err := f.Ports.Conversations.Renew(t.Context(), c.ID, none, none)
		wantKind(t, what+": Renew of a conversation that does not exist", err, domain.NotFound)
		wantSame(t, what+": the key that came with the error", got, domain.Sealed{})
	}
}

// session returns an assistant session that is stored, in which conversations are held.
func (f *fixture) session(t *testing.T, id domain.ProjectID) domain.Session {
	t.Helper()
	return f.set(t, f.hostedByRole("a host's admin", id))
}

// conversing returns a new conversation in a session, not stored.
func (f *fixture) conversing(s domain.Session) domain.Conversation {
	return f.conversation(s, domain.AccessToken{})
}

// conversationStores has user ids as Voiceflow may have them.
func conversationStores(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	for _, user := range []string{"u", "Pseudonym_-09", "ana@example.com", `'; -- "\ %`, "句 🙂", "A", "a"} {
		c := f.conversing(s)
		c.UserID, c.Expires = user, c.Created.Add(time.Hour+time.Microsecond)
		c.Environment = "env-" + p.Version[:4]
		wantNil(t, "Open", f.Ports.Conversations.Open(t.Context(), c))
		got, err := useOf(t.Context(), f.Ports.Access, shown{Conversation: c.ID, User: s.User, Admin: true})
		wantNil(t, "the look-up of a conversation that was opened", err)
		wantSame(t, fmt.Sprintf("the conversation with the user id %q", user), got.Conversation, c)
	}
}

// conversationReplaces has the same user id in another project, and almost the same one.
func conversationReplaces(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	inP, again, inQ := f.session(t, p.ID), f.session(t, p.ID), f.session(t, q.ID)
	as := func(s domain.Session, user string) domain.Conversation {
		c := f.conversing(s)
		c.UserID, c.Environment = user, fmt.Sprintf("environment-%d", f.next())
		return f.converse(t, c)
	}
	kept := []domain.Conversation{as(inP, "Ana"), as(inP, "an"), as(inP, "ana "), as(inQ, "ana")}
	before := as(inP, "ana")
	for _, s := range []domain.Session{inP, again, inP} {
		next := as(s, "ana")
		f.wantNoConversation(t, "in whose place another came", before)
		got, err := useOf(t.Context(), f.Ports.Access, shown{Conversation: next.ID, User: s.User, Admin: true})
		wantNil(t, "the look-up of one in place of another", err)
		wantSame(t, "the conversation in place of another", got.Conversation, next)
		f.wantConversation(t, "in place of another, and beside it", append(slices.Clone(kept), next)...)
		before = next
	}
}

// conversationAtOnce fails for an adapter that removes the earlier first and stores the
// later then.
func conversationAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	const n = 16
	for range rounds / 4 {
		all, errs := make([]domain.Conversation, n), make([]error, n)
		for i := range all {
			all[i] = f.conversing(s)
			all[i].UserID = "ana"
		}
		atOnce(n, func(i int) { errs[i] = at[i%len(at)].Ports.Conversations.Open(t.Context(), all[i]) })
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Opens with one user id at the same instant", n), err)
		}
		left := 0
		for _, c := range all {
			got, err := f.Ports.Conversations.Renew(t.Context(), c.ID, none, none)
			if err != nil {
				wantKind(t, "Renew of one of the conversations", err, domain.NotFound)
				continue
			}
			left++
			wantSame(t, "the session key of the conversation that is left", got, c.Key)
		}
		if left != 1 {
			t.Fatalf("%d Opens with one user id at the same instant: got %d conversations that are left, want exactly 1", n, left)
		}
	}
}

func conversationNotFound(t *testing.T, f *fixture) {
	p, gone := f.addNamed(t, "p"), f.addNamed(t, "gone")
	s := f.session(t, p.ID)
	f.remove(t, gone.ID)
	for what, id := range map[string]domain.ProjectID{"never was": projectID(404), "was removed": gone.ID, "has no id": ""} {
		c := f.conversing(s)
		c.Project = id
		wantKind(t, "Open in a project that "+what, f.Ports.Conversations.Open(t.Context(), c), domain.NotFound)
		f.wantNoConversation(t, "in a project that "+what, c)
	}
}

// conversationGoes adds the same id again, which brings to light what was left behind.
func conversationGoes(t *testing.T, f *fixture) {
	stays, goes := f.addNamed(t, "stays"), f.addNamed(t, "goes")
	kept := f.converse(t, f.conversing(f.session(t, stays.ID)))
	s := f.session(t, goes.ID)
	gone := []domain.Conversation{f.converse(t, f.conversing(s)), f.converse(t, f.conversing(s))}
	f.remove(t, goes.ID)
	f.wantNoConversation(t, "in the removed project", gone...)
	f.wantConversation(t, "in another project", kept)
	f.add(t, goes)
	f.wantNoConversation(t, "in the removed project, after the same id was added again", gone...)
}

// conversationRace fails for an adapter that looks for the project first and stores the
// conversation then.
func conversationRace(t *testing.T, f *fixture) {
	at := f.instances(t)
	const opens = 4
	for range rounds {
		p := f.addNamed(t, "p")
		s := f.session(t, p.ID)
		all, errs := make([]domain.Conversation, opens), make([]error, opens+1)
		for i := range all {
			all[i] = f.conversing(s)
		}
		rec := f.record(domain.ActionDeleteProject, domain.OnProject(p.ID))
		atOnce(opens+1, func(i int) {
			if i == opens {
				errs[i] = f.Ports.Projects.Remove(t.Context(), byOperator(rec), p.ID)
				return
			}
			errs[i] = at[i%len(at)].Ports.Conversations.Open(t.Context(), all[i])
		})
		wantNil(t, "Remove of a project during Opens", errs[opens])
		f.log = append(f.log, rec)
		for _, err := range errs[:opens] {
			if err != nil {
				wantKind(t, "Open during Remove of its project", err, domain.NotFound)
			}
		}
		f.wantNoConversation(t, "opened during Remove of their project", all...)
		f.add(t, p)
		f.wantNoConversation(t, "opened during Remove of their project, after the same id was added again", all...)
		f.remove(t, p.ID)
	}
}

// renewed renews a key, which must succeed, and returns what is stored then.
func (f *fixture) renewed(t *testing.T, what string, c domain.Conversation, from, to domain.Sealed) domain.Sealed {
	t.Helper()
	got, err := f.Ports.Conversations.Renew(t.Context(), c.ID, from, to)
	wantNil(t, "Renew "+what, err)
	return got
}

func renewReplaces(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	c, other := f.converse(t, f.conversing(s)), f.converse(t, f.conversing(s))
	all := make([]byte, 1024)
	for i := range all {
		all[i] = byte(i)
	}
	for _, to := range []domain.Sealed{sessionKey(f.next()), {Key: "k", Bytes: []byte{0}}, {Key: "4294967295", Bytes: all}, {Key: "another", Bytes: all}} {
		wantSame(t, "what Renew returned", f.renewed(t, "from what is there", c, c.Key, to), to)
		c.Key = to
		wantSame(t, "what Renew from and to the same returned", f.renewed(t, "from and to the same", c, c.Key, c.Key), to)
		f.wantConversation(t, "renewed, and another", c, other)
	}
}

// renewLate comes from keys that were there before, and from some that differ in one
// thing.
func renewLate(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	c := f.converse(t, f.conversing(f.session(t, p.ID)))
	first := c.Key
	c.Key = sessionKey(f.next())
	f.renewed(t, "from what is there", c, first, c.Key)
	otherBytes := append(slices.Clone(c.Key.Bytes), 0)
	for what, from := range map[string]domain.Sealed{
		"from the key before":             first,
		"from a key that never was":       none,
		"from the zero key":               {},
		"from the same bytes sealed else": {Key: "another", Bytes: c.Key.Bytes},
		"from a byte more":                {Key: c.Key.Key, Bytes: otherBytes},
		"from a byte less":                {Key: c.Key.Key, Bytes: c.Key.Bytes[:len(c.Key.Bytes)-1]},
	} {
		wantSame(t, "what Renew "+what+" returned", f.renewed(t, what, c, from, sessionKey(f.next())), c.Key)
		f.wantConversation(t, "after Renew "+what, c)
	}
}

func renewUnknown(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	replaced, gone := f.conversing(s), f.conversing(s)
	next := f.conversing(s)
	replaced.UserID, next.UserID = "ana", "ana"
	for _, c := range []domain.Conversation{replaced, gone, next} {
		f.converse(t, c)
	}
	for name, c := range map[string]domain.Conversation{"an id that never was": f.conversing(s), "one in whose place another came": replaced, "no id": {Key: next.Key}} {
		_, err := f.Ports.Conversations.Renew(t.Context(), c.ID, c.Key, sessionKey(f.next()))
		wantKind(t, "Renew of "+name, err, domain.NotFound)
		f.wantNoConversation(t, "after Renew of "+name, c)
	}
	f.wantConversation(t, "that is there", next)
	f.remove(t, p.ID)
	_, err := f.Ports.Conversations.Renew(t.Context(), gone.ID, gone.Key, sessionKey(f.next()))
	wantKind(t, "Renew of one whose project was removed", err, domain.NotFound)
}

// renewAtOnce is several turns that all found their session key stale.
func renewAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	c := f.converse(t, f.conversing(f.session(t, p.ID)))
	for _, n := range []int{2, 2, 2, 2, 2, 2, 2, 2, crowd} {
		keys, got, errs := make([]domain.Sealed, n), make([]domain.Sealed, n), make([]error, n)
		for i := range keys {
			keys[i] = sessionKey(f.next())
		}
		atOnce(n, func(i int) {
			got[i], errs[i] = at[i%len(at)].Ports.Conversations.Renew(t.Context(), c.ID, c.Key, keys[i])
		})
		for i, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Renews at the same instant", n), err)
			wantSame(t, fmt.Sprintf("what each of %d Renews at the same instant returned", n), got[i], got[0])
		}
		if !slices.ContainsFunc(keys, func(k domain.Sealed) bool { return difference(k, got[0]) == "" }) {
			t.Fatalf("%d Renews at the same instant: got a key that none of them brought, want one of theirs", n)
		}
		c.Key = got[0]
		f.wantConversation(t, "after Renews at the same instant", c)
	}
}

func conversationRecords(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	c := f.converse(t, f.conversing(f.session(t, p.ID)))
	f.renewed(t, "from what is there", c, c.Key, sessionKey(f.next()))
	f.clock.set(c.Expires)
	wantSame(t, "Sweep of the conversation and its session", f.sweep(t, 10), 2)
	f.wantRecords(t, "after Open, Renew and Sweep")
}
