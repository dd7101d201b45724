package portstest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var conversationCalls = []call{
	{method: "Conversations.Open", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		return converses(f.conversing(f.session(t, f.addNamed(t, "p").ID)))
	}},
	{method: "Conversations.Open", way: "in place of another", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		s := f.session(t, f.addNamed(t, "p").ID)
		before, c := f.converse(t, f.conversing(s)), f.conversing(s)
		c.UserID = before.UserID
		return converses(c)
	}},
	failing(domain.NotFound, call{method: "Conversations.Open", way: "in an unknown project", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		c := f.conversing(f.session(t, f.addNamed(t, "p").ID))
		c.Project = projectID(404)
		return converses(c)
	}}),
	failing(domain.Conflict, call{method: "Conversations.Open", way: "of an id that is taken", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		s := f.session(t, f.addNamed(t, "p").ID)
		there, c := f.converse(t, f.conversing(s)), f.conversing(s)
		c.ID = there.ID
		return converses(c)
	}}),
	{method: "Conversations.Renew", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		c := f.converse(t, f.conversing(f.session(t, f.addNamed(t, "p").ID)))
		to := sessionKey(f.next())
		return renews(c.ID, c.Key, to, sessionKeyLike(to))
	}},
	{method: "Conversations.Renew", way: "too late", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		c := f.converse(t, f.conversing(f.session(t, f.addNamed(t, "p").ID)))
		return renews(c.ID, sessionKey(f.next()), sessionKey(f.next()), sessionKeyLike(c.Key))
	}},
	failing(domain.NotFound, call{method: "Conversations.Renew", way: "of an unknown id", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return renews(conversationID(404), sessionKey(f.next()), sessionKey(f.next()), domain.Sealed{})
	}}),
}

func converses(c domain.Conversation) attempt {
	return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error { return at.Conversations.Open(ctx, c) }, &c)
}

// sessionKeyLike returns a copy of the key, which shares no bytes with it.
func sessionKeyLike(key domain.Sealed) domain.Sealed {
	key.Bytes = bytes.Clone(key.Bytes)
	return key
}

func renews(id domain.ConversationID, from, to, want domain.Sealed) attempt {
	return attempt{check: returns(want), args: []any{&from, &to}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
		return at.Conversations.Renew(ctx, id, from, to)
	}}
}

var usageCalls = []call{
	{method: "Usage.Add", changes: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		counts := []domain.Usage{
			f.count("2026-11-25", projectID(1), userID(1), "", domain.ScopeConverse), f.count("2026-11-25", projectID(1), userID(f.next()), "", domain.ScopeConverse),
		}
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error { return at.Usage.Add(ctx, counts, nil) }, counts)
	}},
	{method: "Usage.Add", way: "of a token's use", changes: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		token := f.issue(t, f.token(who.user.ID, f.addNamed(t, "p").ID, domain.DefaultScopes()))
		used := map[domain.TokenID]time.Time{token.ID: token.Created.Add(time.Minute), tokenID(404): token.Created}
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error { return at.Usage.Add(ctx, nil, used) }, used)
	}},
	{method: "Usage.Forget", changes: true, alone: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.added(t, f.count("2001-02-03", projectID(1), userID(f.next()), "", domain.ScopeConverse))
		return attempt{check: returns(1), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Usage.Forget(ctx, "2001-02-04", 10)
		}}
	}},
	{method: "Usage.Report", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		day := domain.Day(fmt.Sprintf("%04d-11-26", f.next()))
		counted := f.added(t, f.count(day, projectID(1), userID(1), "", domain.ScopeConverse))
		q := domain.UsageQuery{From: day, To: day, GroupBy: domain.UsageFields()}
		return attempt{check: returns(counted), args: []any{q.GroupBy}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Usage.Report(ctx, q, nil, 10)
		}}
	}},
	{method: "Usage.Top", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		day := domain.Day(fmt.Sprintf("%04d-11-26", f.next()))
		counted := f.added(t, f.count(day, projectID(1), userID(1), "", domain.ScopeConverse))
		q := domain.UsageQuery{From: day, To: day, GroupBy: domain.UsageFields()}
		return attempt{check: returns(domain.TopUsage(counted, 10)), args: []any{q.GroupBy}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Usage.Top(ctx, q, 10)
		}}
	}},
	reads("Usage.Report", "of nothing", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Usage.Report(ctx, domain.UsageQuery{From: "2027-01-01", To: "2027-01-02", GroupBy: domain.UsageFields()}, nil, 10)
	}),
}

var auditCalls = []call{
	{method: "Audit.Append", record: true, ready: func(*testing.T, *fixture, actor) attempt {
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, act domain.Act) error {
			return at.Audit.Append(ctx, act.Record)
		})
	}},
	{method: "Audit.Begin", act: true, record: true, ready: func(t *testing.T, f *fixture, who actor) attempt {
		return begins(domain.NeedsUse(f.projectFor(t, who).ID, domain.ScopesOf(domain.ScopeKnowledgeWrite)))
	}},
	{method: "Audit.Begin", way: "of what only needs a caller", act: true, record: true, ready: func(*testing.T, *fixture, actor) attempt {
		return begins(domain.NeedsCaller())
	}},
	{method: "Audit.Find", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		row := f.appended(t)
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Audit.Find(ctx, row.ID)
		}}
	}},
	failing(domain.NotFound, reads("Audit.Find", "of an unknown id", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Audit.Find(ctx, 1<<40)
	})),
	reads("Audit.Page", "", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Audit.Page(ctx, domain.AuditFilter{}, nil, 10)
	}),
	reads("Audit.Page", "of nothing", func(ctx context.Context, at ports.Store) (any, error) {
		return at.Audit.Page(ctx, domain.AuditFilter{Object: "404"}, nil, 10)
	}),
	{method: "Chain.Extend", changes: true, ready: func(*testing.T, *fixture, actor) attempt {
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			_, done, err := at.Chain.Extend(ctx, 1, extending)
			return done, err
		}}
	}},
	{method: "Chain.Cut", changes: true, record: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		at := domain.Instant(f.clock.now()).Add(time.Duration(f.next()) * time.Second)
		return doing(domain.Need{}, func(ctx context.Context, on ports.Store, act domain.Act) error {
			return on.Chain.Cut(ctx, func(_ domain.ChainPoint, head domain.AuditHead) (domain.AuditHead, []domain.Record, error) {
				head.Cut = domain.AuditCut{At: at, Before: at}
				head.Sealed = domain.Sealed{Key: "1886453126", Bytes: []byte(head.Text())}
				return head, []domain.Record{act.Record}, nil
			})
		})
	}},
	{method: "Chain.Remove", ready: func(*testing.T, *fixture, actor) attempt {
		return attempt{check: returns(0), do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Chain.Remove(ctx, 0, 10)
		}}
	}},
	{method: "Chain.Links", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		chainAll(t, f.Ports.Chain)
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Chain.Links(ctx, 0, 10)
		}}
	}},
	reads("Chain.Head", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Chain.Head(ctx) }),
	reads("Chain.Waiting", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Chain.Waiting(ctx) }),
	reads("Chain.Strays", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Chain.Strays(ctx, 10) }),
}

func begins(needs domain.Need) attempt {
	return doing(needs, func(ctx context.Context, at ports.Store, act domain.Act) error { return at.Audit.Begin(ctx, act) })
}

var sealingCalls = []call{
	{method: "Sealings.Page", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		f.addNamed(t, "p")
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
			return at.Sealings.Page(ctx, "", domain.SealedRef{}, 10)
		}}
	}},
	{method: "Sealings.Replace", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addWithAll(t, "p")
		c := f.converse(t, f.conversing(f.session(t, p.ID)))
		return replaces(allResealedBy([]domain.SealedRow{ofProject(p), ofSlot(p, domain.SlotSecondary), ofSlot(p, domain.SlotPersonal), ofConversation(c)}, "new"), 4)
	}},
	{method: "Sealings.Replace", way: "by nothing", changes: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		p := f.addNamed(t, "p")
		c := f.converse(t, f.conversing(f.session(t, p.ID)))
		return replaces(forgetting([]domain.SealedRow{ofProject(p), ofConversation(c)}), 1)
	}},
	{method: "Sealings.Replace", way: "of what does not exist", ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return replaces(allResealedBy([]domain.SealedRow{ofProject(f.project("never"))}, "new"), 0)
	}},
	reads("Sealings.ToReenter", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Sealings.ToReenter(ctx) }),
	reads("Sealings.Uses", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Sealings.Uses(ctx) }),
}

func replaces(rows []domain.Resealed, want int) attempt {
	return attempt{check: returns(want), args: []any{rows}, do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) {
		return at.Sealings.Replace(ctx, rows)
	}}
}

var installationCalls = []call{
	{method: "Installation.Prepare", changes: true, alone: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		is := installationOf(f.next())
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error {
			return at.Installation.Prepare(ctx, put(is))
		}, &is)
	}},
	{method: "Installation.Prepare", way: "that leaves what is stored", ready: func(*testing.T, *fixture, actor) attempt {
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error {
			return at.Installation.Prepare(ctx, keep(domain.Installation{}))
		})
	}},
	{method: "Installation.Reseal", act: true, changes: true, record: true, alone: true, ready: func(t *testing.T, f *fixture, _ actor) attempt {
		from, err := f.Ports.Installation.Get(t.Context())
		wantNil(t, "preparing: Installation.Get", err)
		return reseals(from, installationOf(f.next()))
	}},
	failing(domain.Conflict, call{method: "Installation.Reseal", way: "from what is not stored", act: true, ready: func(_ *testing.T, f *fixture, _ actor) attempt {
		return reseals(installationOf(f.next()), installationOf(f.next()))
	}}),
	reads("Installation.Get", "", func(ctx context.Context, at ports.Store) (any, error) { return at.Installation.Get(ctx) }),
	{method: "Installation.CheckWrites", ready: func(*testing.T, *fixture, actor) attempt {
		return doing(domain.Need{}, func(ctx context.Context, at ports.Store, _ domain.Act) error {
			return at.Installation.CheckWrites(ctx)
		})
	}},
	{method: "Sweeper.Sweep", ready: func(t *testing.T, f *fixture, _ actor) attempt {
		s := f.hostedByRole("a host's admin", f.addNamed(t, "p").ID)
		s.Idle = s.Created.Add(time.Millisecond)
		f.set(t, s)
		f.clock.set(s.Idle)
		return attempt{do: func(ctx context.Context, at ports.Store, _ domain.Act) (any, error) { return at.Sweeper.Sweep(ctx, 1) }}
	}},
}

func reseals(from, to domain.Installation) attempt {
	return doing(domain.NeedsAdmin(), func(ctx context.Context, at ports.Store, act domain.Act) error {
		return at.Installation.Reseal(ctx, act, from, to)
	}, &from, &to)
}
