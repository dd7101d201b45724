package portstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Conversations checks every sentence in the comments of ports.Conversations. It needs
// Conversations and Records of the Store, and, since a conversation is in a project and
// made by something, says nothing without Projects and Sessions. That what is stored is
// all of the conversation is checked where it has Access.
func Conversations(t *testing.T, open OpenStore) {
	check(t, open, conversations, []sentence{
		{"Open stores the conversation", projects | sessions | access, conversationStores},
		{"Open puts the conversation in the place of the one that its project had with the same user id, and of no other", projects | sessions, conversationReplaces},
		{"of several Opens with one user id at the same instant one conversation is left", projects | sessions, conversationAtOnce},
		{"Open of a project that is not there is NotFound", projects | sessions, conversationNotFound},
		{"a conversation goes with its project", projects | sessions, conversationGoes},
		{"no conversation outlives a Remove of its project at the same instant", projects | sessions, conversationRace},
		{"Renew puts the session key to in the place of from, and returns it", projects | sessions, renewReplaces},
		{"Renew changes nothing when from is not there any more, and returns what is", projects | sessions, renewLate},
		{"Renew of an unknown id is NotFound", projects | sessions, renewUnknown},
		{"of several Renews at the same instant one wins, and all return its key", projects | sessions, renewAtOnce},
		{"Sweep forgets at most limit conversations that are over, and returns how many", projects | sessions, conversationsSwept},
		{"several Sweeps at the same instant count each conversation once and take none that goes on", projects | sessions, conversationsSweptAtOnce},
		{"no method keeps a record", projects | sessions, conversationRecords},
		{"what one instance writes another sees at once", projects | sessions, conversationsElsewhere},
		{"arguments are neither kept nor modified, and results are the caller's own", projects | sessions, conversationsArguments},
		{"an outage and an ended context are Unavailable, never NotFound, and change nothing", projects | sessions, conversationsUnavailable},
		{"all methods are safe for concurrent use", projects | sessions, conversationsConcurrent},
	})
}

// none is no session key of any conversation: a Renew from it changes nothing.
var none = domain.Sealed{Key: "none", Bytes: []byte("none")}

// wantConversation fails the test unless each conversation is there with its key.
func (f *fixture) wantConversation(t *testing.T, what string, all ...domain.Conversation) {
	t.Helper()
	for _, c := range all {
		got, err := f.Conversations.Renew(t.Context(), c.ID, none, none)
		wantNil(t, what+": Renew of a conversation that is there", err)
		wantSame(t, what+": its session key", got, c.Key)
	}
}

// wantNoConversation fails the test when one of the conversations is there.
func (f *fixture) wantNoConversation(t *testing.T, what string, all ...domain.Conversation) {
	t.Helper()
	for _, c := range all {
		got, err := f.Conversations.Renew(t.Context(), c.ID, none, none)
		wantKind(t, what+": Renew of a conversation that is not there", err, domain.NotFound)
		wantSame(t, what+": the key that came with the error", got, domain.Sealed{})
	}
}

// session is an assistant session that is stored, in which conversations are held.
func (f *fixture) session(t *testing.T, id domain.ProjectID) domain.Session {
	t.Helper()
	return f.set(t, f.hostedByRole("a host's admin", id))
}

// conversing is a conversation of its own in a session, not stored.
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
		wantNil(t, "Open", f.Conversations.Open(t.Context(), c))
		got, err := f.Access.ForUse(t.Context(), domain.Credential{Conversation: c.ID, User: s.User, Admin: true})
		wantNil(t, "ForUse of a conversation that was opened", err)
		wantSame(t, fmt.Sprintf("the conversation with the user id %q", user), got.Conversation, c)
	}
}

// conversationReplaces has the same user id in another project, and almost the same one.
func conversationReplaces(t *testing.T, f *fixture) {
	p, q := f.addNamed(t, "p"), f.addNamed(t, "q")
	inP, again, inQ := f.session(t, p.ID), f.session(t, p.ID), f.session(t, q.ID)
	as := func(s domain.Session, user string) domain.Conversation {
		c := f.conversing(s)
		c.UserID = user
		return f.converse(t, c)
	}
	kept := []domain.Conversation{as(inP, "Ana"), as(inP, "an"), as(inP, "ana "), as(inQ, "ana")}
	before := as(inP, "ana")
	for _, s := range []domain.Session{inP, again, inP} {
		next := as(s, "ana")
		f.wantNoConversation(t, "in whose place another came", before)
		f.wantConversation(t, "in the place of another, and beside it", append(slices.Clone(kept), next)...)
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
		atOnce(n, func(i int) { errs[i] = at[i%len(at)].Conversations.Open(t.Context(), all[i]) })
		for _, err := range errs {
			wantNil(t, fmt.Sprintf("one of %d Opens with one user id at the same instant", n), err)
		}
		left := 0
		for _, c := range all {
			got, err := f.Conversations.Renew(t.Context(), c.ID, none, none)
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
		wantKind(t, "Open in a project that "+what, f.Conversations.Open(t.Context(), c), domain.NotFound)
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
				errs[i] = f.Projects.Remove(t.Context(), p.ID, rec)
				return
			}
			errs[i] = at[i%len(at)].Conversations.Open(t.Context(), all[i])
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
	got, err := f.Conversations.Renew(t.Context(), c.ID, from, to)
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
		_, err := f.Conversations.Renew(t.Context(), c.ID, c.Key, sessionKey(f.next()))
		wantKind(t, "Renew of "+name, err, domain.NotFound)
		f.wantNoConversation(t, "after Renew of "+name, c)
	}
	f.wantConversation(t, "that is there", next)
	f.remove(t, p.ID)
	_, err := f.Conversations.Renew(t.Context(), gone.ID, gone.Key, sessionKey(f.next()))
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
		atOnce(n, func(i int) { got[i], errs[i] = at[i%len(at)].Conversations.Renew(t.Context(), c.ID, c.Key, keys[i]) })
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

func (f *fixture) sweepConversations(t *testing.T, limit int) int {
	t.Helper()
	n, err := f.Conversations.Sweep(t.Context(), limit)
	wantNil(t, "Sweep", err)
	return n
}

// sweptFrom is conversations in a session, of which half are over an hour from now.
func (f *fixture) sweptFrom(t *testing.T, n int) (over, live []domain.Conversation) {
	t.Helper()
	s := f.session(t, f.addNamed(t, "p").ID)
	for range n {
		short, long := f.conversing(s), f.conversing(s)
		short.Expires = short.Created.Add(time.Hour)
		over, live = append(over, f.converse(t, short)), append(live, f.converse(t, long))
	}
	return over, live
}

// conversationsSwept looks a nanosecond before the end and at the end itself.
func conversationsSwept(t *testing.T, f *fixture) {
	wantSame(t, "Sweep of an empty store", f.sweepConversations(t, 10), 0)
	over, live := f.sweptFrom(t, 6)
	f.clock.set(over[0].Expires.Add(-1))
	wantSame(t, "Sweep a nanosecond before any is over", f.sweepConversations(t, 100), 0)
	f.wantConversation(t, "after a Sweep before any was over", append(slices.Clone(over), live...)...)
	f.clock.set(over[0].Expires)
	for _, step := range []struct{ limit, want int }{{1, 1}, {3, 3}, {3, 2}, {3, 0}} {
		wantSame(t, fmt.Sprintf("Sweep of at most %d", step.limit), f.sweepConversations(t, step.limit), step.want)
		f.wantConversation(t, "not over", live...)
	}
	f.wantNoConversation(t, "swept", over...)
	f.clock.set(live[0].Expires)
	wantSame(t, "Sweep of as many as are over", f.sweepConversations(t, 6), 6)
	wantSame(t, "Sweep after all that are over", f.sweepConversations(t, 6), 0)
	f.wantNoConversation(t, "swept", live...)
}

// conversationsSweptAtOnce would show an adapter that counts what it chose and not what it
// forgot.
func conversationsSweptAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	over, live := f.sweptFrom(t, 40)
	f.clock.set(over[len(over)-1].Expires)
	wantSweptAtOnce(t, len(over), func(i int) sweeper { return at[i%len(at)].Conversations })
	f.wantNoConversation(t, "swept", over...)
	f.wantConversation(t, "not over", live...)
}

func conversationRecords(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	c := f.converse(t, f.conversing(f.session(t, p.ID)))
	f.renewed(t, "from what is there", c, c.Key, sessionKey(f.next()))
	f.clock.set(c.Expires)
	wantSame(t, "Sweep", f.sweepConversations(t, 10), 1)
	f.wantRecords(t, "after Open, Renew and Sweep")
}

// conversationsElsewhere goes to and fro between two instances, so that a cache in one of
// them would show.
func conversationsElsewhere(t *testing.T, f *fixture) {
	at := f.instances(t)
	there := at[len(at)-1].Conversations
	p := f.addNamed(t, "p")
	c := f.conversing(f.session(t, p.ID))
	wantNil(t, "Open on the other instance", there.Open(t.Context(), c))
	f.wantConversation(t, "opened on the other instance", c)
	for n := range 4 {
		to := sessionKey(f.next())
		view := []ports.Conversations{there, f.Conversations}[n%2]
		got, err := view.Renew(t.Context(), c.ID, c.Key, to)
		wantNil(t, "Renew on one instance after the other", err)
		wantSame(t, "what Renew on one instance after the other returned", got, to)
		c.Key = to
	}
	f.wantConversation(t, "renewed on both instances", c)
	f.clock.set(c.Expires)
	n, err := there.Sweep(t.Context(), 10)
	wantNil(t, "Sweep on the other instance", err)
	wantSame(t, "Sweep on the other instance", n, 1)
	wantSame(t, "Sweep after one on the other instance", f.sweepConversations(t, 10), 0)
}

// conversationsArguments alters what it handed in and what it was given.
func conversationsArguments(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	c := f.conversing(f.session(t, p.ID))
	handed := c
	handed.Key.Bytes = slices.Clone(c.Key.Bytes)
	f.converse(t, handed)
	wantSame(t, "the conversation that was handed to Open, afterwards", handed, c)
	clear(handed.Key.Bytes)
	f.wantConversation(t, "after the caller cleared the bytes that it had handed to Open", c)

	from := domain.Sealed{Key: c.Key.Key, Bytes: slices.Clone(c.Key.Bytes)}
	to := sessionKey(f.next())
	mine := domain.Sealed{Key: to.Key, Bytes: slices.Clone(to.Bytes)}
	got := f.renewed(t, "from what is there", c, from, mine)
	wantSame(t, "the key that was handed to Renew as to, afterwards", mine, to)
	wantSame(t, "the key that was handed to Renew as from, afterwards", from, c.Key)
	clear(mine.Bytes)
	wantSame(t, "what Renew returned, after the caller cleared what it had handed in", got, to)
	c.Key = to
	f.wantConversation(t, "after the caller cleared the bytes that it had handed to Renew", c)
	clear(got.Bytes)
	f.wantConversation(t, "after the caller cleared the bytes that Renew had returned", c)
	late := f.renewed(t, "from what is not there", c, none, none)
	clear(late.Bytes)
	f.wantConversation(t, "after the caller cleared the bytes that a late Renew had returned", c)
}

func conversationsUnavailable(t *testing.T, f *fixture) {
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	c, over, opened := f.converse(t, f.conversing(s)), f.conversing(s), f.conversing(s)
	over.Expires = over.Created.Add(time.Hour)
	f.converse(t, over)
	f.clock.set(over.Expires)
	unknown := f.conversing(s)
	unknown.Project = projectID(404)
	f.wantUnavailable(t, func(t *testing.T) {
		f.wantConversation(t, "after calls under ended contexts", c)
		f.wantNoConversation(t, "after calls under ended contexts", opened)
		f.wantRecords(t, "after calls under ended contexts")
		wantSame(t, "Sweep after calls under ended contexts", f.sweepConversations(t, 10), 1)
	},
		call{"Open", func(ctx context.Context) error { return f.Conversations.Open(ctx, opened) }},
		call{"Open in an unknown project", func(ctx context.Context) error { return f.Conversations.Open(ctx, unknown) }},
		call{"Renew", func(ctx context.Context) error {
			_, err := f.Conversations.Renew(ctx, c.ID, c.Key, none)
			return err
		}},
		call{"Renew of an unknown id", func(ctx context.Context) error {
			_, err := f.Conversations.Renew(ctx, conversationID(404), c.Key, none)
			return err
		}},
		call{"Sweep", func(ctx context.Context) error {
			_, err := f.Conversations.Sweep(ctx, 10)
			return err
		}},
	)
}

// conversationsConcurrent lets every caller find exactly what they left, whatever others
// do.
func conversationsConcurrent(t *testing.T, f *fixture) {
	at := f.instances(t)
	p := f.addNamed(t, "p")
	s := f.session(t, p.ID)
	problems := make([]error, 16)
	atOnce(len(problems), func(i int) {
		view := at[i%len(at)].Conversations
		for range 5 {
			c, next := f.conversing(s), f.conversing(s)
			next.UserID = c.UserID
			for _, step := range []call{
				{"Open", func(ctx context.Context) error { return view.Open(ctx, c) }},
				{"Renew", func(ctx context.Context) error {
					got, err := view.Renew(ctx, c.ID, c.Key, next.Key)
					return cmp.Or(err, mismatch(got, next.Key))
				}},
				{"Open in its place", func(ctx context.Context) error { return view.Open(ctx, next) }},
				{"Renew of what another came in the place of", func(ctx context.Context) error {
					if _, err := view.Renew(ctx, c.ID, none, none); domain.KindOf(err) != domain.NotFound {
						return fmt.Errorf("got error %w, want %w", cmp.Or(err, errors.New("none")), domain.NotFound)
					}
					return nil
				}},
				{"Sweep", func(ctx context.Context) error {
					n, err := view.Sweep(ctx, 10)
					return cmp.Or(err, mismatch(n, 0))
				}},
			} {
				if err := step.do(t.Context()); err != nil && problems[i] == nil {
					problems[i] = fmt.Errorf("%s: %w", step.name, err)
				}
			}
		}
	})
	for _, err := range problems {
		wantNil(t, "a caller beside others", err)
	}
}
