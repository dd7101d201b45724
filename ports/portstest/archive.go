package portstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// Archive checks every sentence in the comments of ports.Archive.
func Archive(t *testing.T, open OpenStore) {
	another := func(t *testing.T, f *fixture) *fixture {
		return &fixture{Store: open(t, f.clock.now), clock: f.clock}
	}
	check(t, open, []sentence{
		{"Snapshot gives every row that Restore was given, and the record after them", archiveRoundTrip},
		{"what the other ports have written is in it, and what they read is the same in another database",
			func(t *testing.T, f *fixture) { archiveViews(t, f, another(t, f)) }},
		{"identities, groups and rules are in it, and logins and what was used once are not",
			func(t *testing.T, f *fixture) { archiveSignOns(t, f, another(t, f)) }},
		{"sessions and conversations are not in it",
			func(t *testing.T, f *fixture) { archiveSessions(t, f, another(t, f)) }},
		{"all rows are of one moment, and no writer waits", archiveMoment},
		{"an error of each ends Snapshot and is returned as it is", archiveEachFails},
		{"Restore replaces what a database has before it has a user or a project", archiveMakesWay},
		{"Restore is Conflict if there is a user or a project, and changes nothing", archiveInUse},
		{"Restore of impossible rows is Corrupt, and changes nothing", archiveCorrupt},
		{"an error among the rows ends Restore and is returned as it is, and nothing changes", archiveRowsFail},
		{"Restore into a schema that is newer than known is Conflict", archiveNewer},
		{"of many Restores at the same time exactly one succeeds, and the others are Conflict", archiveAtOnce},
		{"a Prepare that begins during Restore sees the restored rows", archiveBesidePrepare},
		{"what is written after Restore comes after its record", archiveGoesOn},
		{"arguments are neither kept nor modified, and what each gets is its own", archiveArguments},
		{"an outage and an ended context are Unavailable, and change nothing", archiveUnavailable},
		{"a Restore that is interrupted changes nothing and locks nobody out", archiveBroken},
	})
}

// archivedRows has rows of every table, in order, with values of every sort.
func archivedRows() []archive.Row {
	row := func(table string, values ...any) archive.Row {
		return archive.Row{Table: table, Values: values}
	}
	odd := "句 🙂 '\"\\;--\n%s$1?"
	blob := []byte("\x00\x01\xff\xfe'\"\\\n sealed")
	one, two, three := string(projectID(1)), string(projectID(2)), string(projectID(3))
	ada, ben := string(userID(1)), string(userID(2))
	return []archive.Row{
		row("installation", int64(1), domain.KeyID("17"), blob, string(origin), domain.KeyID("18"), []byte("pseudonyms")),
		row("projects", one, odd, "6371c9b4e1a5b2c3d4e5f607", "production", "", int64(1_700_000_000_000_001), int64(-5),
			"rejected", "used_up", "none", int64(0), int64(0), int64(0), int64(0), "", "none", int64(0), int64(0), "", domain.SearchText(odd)),
		row("projects", two, "B", "6371c9b4e1a5b2c3d4e5f607", "main", "webchat", int64(7), int64(8),
			"ok", "ok", "needs_reentry", int64(9), int64(10), int64(18), int64(0), `{"default":"main","allowed":["main","dev"],"allow_draft":["dev"]}`, "rejected", int64(21), int64(22),
			"https://cdn.example.com https://192.0.2.7:8443", "b"),
		row("projects", three, "B", "6371c9b4e1a5b2c3d4e5f608", "main", "webchat", int64(7), int64(8),
			"ok", "ok", "ok", int64(9), int64(10), int64(19), int64(20), `{"default":"main","allowed":"all","allow_draft":[]}`, "none", int64(0), int64(0), "", "b"),
		row("project_keys", one, "primary", domain.KeyID("17"), blob),
		row("project_keys", two, "personal", domain.KeyID("18"), []byte("\x00personal")),
		row("project_keys", two, "primary", domain.KeyID("17"), []byte{1}),
		row("project_keys", two, "secondary", domain.KeyID("17"), []byte{2}),
		row("project_keys", three, "primary", domain.KeyID("17"), []byte{0}),
		row("project_keys", three, "secondary", domain.KeyID("18"), []byte("another")),
		row("users", ada, "ada", "admin", false, domain.NewSecret("$argon2id$"+odd), int64(11), "", "", int64(0), "", false),
		row("users", ben, "ben", "member", true, domain.NewSecret(""), int64(12), issuer, "Subject 句", int64(23), "bosses", true),
		row("grants", ben, one, odd, int64(13), "converse export", "export\nstaff of 'Ångström'\tconverse\tmain dev"),
		row("grants", "a host's user", two, "B", int64(14), "converse", ""),
		row("user_groups", ben, "bosses"), row("user_groups", ben, "staff of 'Ångström'"),
		row("group_rules", string(ruleID(1)), "staff of 'Ångström'", one, "converse", "main dev", int64(24)),
		row("group_rules", string(ruleID(2)), "leads", nil, "", "", int64(25)),
		row("access_tokens", string(tokenID(1)), bytes.Repeat([]byte{1}, 32), odd, "flk_abcdef", ada, nil, "manage", false,
			int64(15), int64(16), int64(0), int64(0), int64(0), "", int64(0), nil, int64(0)),
		row("access_tokens", string(tokenID(2)), bytes.Repeat([]byte{3}, 32), "", "", ben, one, "converse", true, int64(15), int64(16), int64(17), int64(600), int64(8), "main dev",
			int64(18), bytes.Repeat([]byte{2}, 32), int64(19)),
		row("webhooks", string(webhookID(1)), "https://alerts.example/?"+"x='1'", "key.rejected admin.made", domain.KeyID("17"), blob, int64(26), int64(27), int64(28)),
		row("webhooks", string(webhookID(2)), "https://alerts.example/", "later.event", domain.KeyID("18"), []byte{3}, int64(26), int64(27), int64(0)),
		row("usage", "2026-11-24", one, ada, "", "converse", int64(3), int64(1), int64(4_000_000_000_000)),
		row("usage", "2026-11-25", "gone", "", string(tokenID(9)), "", int64(0), int64(0), int64(0)),
		row("audit", int64(1), int64(20), "operator", "create_user", "user:"+ada, "ok", "r1", "", int64(1)),
		row("audit", int64(2), int64(19), "user:"+ada, "login", odd, "ok", "r2", "2001:db8::1", int64(1)),
		row("audit", int64(3), int64(21), "nobody", "login", "", "not_authenticated", "", "192.0.2.0", int64(4711)),
		row("audit_chain", int64(1), int64(1), bytes.Repeat([]byte{7}, 32)),
		row("audit_chain", int64(2), int64(2), bytes.Repeat([]byte{8}, 32)),
		row("audit_head", int64(1), int64(2), bytes.Repeat([]byte{8}, 32), domain.KeyID("18"), blob, int64(2), "0:"+strings.Repeat("0", 64)+":0:5:4"),
	}
}

// listed returns the sequence that Restore reads.
func listed(rows []archive.Row) iter.Seq2[archive.Row, error] {
	return func(yield func(archive.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// archivedRecord returns the row that rec becomes under the id.
func archivedRecord(id int, rec domain.Record) archive.Row {
	return archive.Row{Table: "audit", Values: []any{
		int64(id), rec.At.UnixMicro(), string(rec.Actor), string(rec.Action), rec.Object, rec.Outcome, rec.RequestID, rec.Address, rec.Count,
	}}
}

// behindAudit puts a row behind those of the audit.
func behindAudit(rows []archive.Row, row archive.Row) []archive.Row {
	at := slices.IndexFunc(rows, func(r archive.Row) bool { return r.After(row) })
	if at < 0 {
		at = len(rows)
	}
	return slices.Insert(slices.Clone(rows), at, row)
}

// snapshot is everything that is there, which must be in order.
func (f *fixture) snapshot(t *testing.T, what string) []archive.Row {
	t.Helper()
	var rows []archive.Row
	wantNil(t, what+": Snapshot", f.Archive.Snapshot(t.Context(), func(row archive.Row) error {
		rows = append(rows, row)
		return nil
	}))
	for i, row := range rows {
		wantNil(t, fmt.Sprintf("%s: Check of row %d of %s", what, i, row.Table), row.Check())
		if i > 0 && !row.After(rows[i-1]) {
			t.Fatalf("%s: row %d, of %s, is not behind the one before", what, i, row.Table)
		}
	}
	return rows
}

// wantRows fails the test unless got has the rows of want.
func wantRows(t *testing.T, what string, got, want []archive.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i].Table != want[i].Table || !slices.EqualFunc(got[i].Values, want[i].Values, sameValue) {
			t.Fatalf("%s: row %d: got %q of %s, want %q of %s", what, i, got[i].Values, got[i].Table, want[i].Values, want[i].Table)
		}
	}
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case domain.Secret:
		b, ok := b.(domain.Secret)
		return ok && a.Equal(b)
	}
	return a == b
}

func (f *fixture) restoring() domain.Record {
	return f.record(domain.ActionRestore, domain.OnBackup(f.clock.now()))
}

func archiveRoundTrip(t *testing.T, f *fixture) {
	wantRows(t, "an empty database", f.snapshot(t, "an empty database"), nil)
	rows, rec := archivedRows(), f.restoring()
	wantNil(t, "Restore", f.Archive.Restore(t.Context(), listed(rows), byOperator(rec)))
	want := behindAudit(rows, archivedRecord(4, rec))
	for i, instance := range f.instances(t) {
		one := &fixture{Store: instance, clock: f.clock}
		wantRows(t, fmt.Sprintf("instance %d after Restore", i), one.snapshot(t, "after Restore"), want)
	}
	got := f.Records(t)
	if len(got) != 4 {
		t.Fatalf("got %d records, want 4", len(got))
	}
	wantSame(t, "the last record", got[3], rec)
}

// archiveViews looks at another database through the ports that filled the first.
func archiveViews(t *testing.T, f, other *fixture) {
	is := installationOf(1)
	f.prepare(t, "preparing", domain.Installation{}, is)
	a, b := f.addWithAll(t, "b"), f.add(t, f.inEnvironments("a"))
	ada, ben := f.admin(t, "ada"), f.member(t, "ben", a.ID)
	f.grantScopes(t, "a host's user", b.ID, domain.AllScopes())
	managing := f.issue(t, f.token(ada.ID, "", domain.ScopesOf(domain.ScopeManage)))
	limited := f.token(ben.ID, a.ID, domain.DefaultScopes())
	limited.Environments = []string{"main", "development"}
	f.issue(t, limited)
	counted := domain.Usage{
		UsageKey: domain.UsageKey{Day: "2026-11-25", Project: a.ID, User: ben.ID, Scope: domain.ScopeConverse}, Calls: 2, Errors: 1, Milliseconds: 3,
	}
	wantNil(t, "preparing: Usage.Add", f.Ports.Usage.Add(t.Context(), []domain.Usage{counted}, nil))
	chainAll(t, f.Ports.Chain)
	head, err := f.Ports.Chain.Head(t.Context())
	wantNil(t, "preparing: Chain.Head", err)
	rows := f.snapshot(t, "what the ports have written")

	rec := f.restoring()
	wantNil(t, "Restore", other.Archive.Restore(t.Context(), listed(rows), byOperator(rec)))
	other.log = append(slices.Clone(f.log), rec)
	other.wantRecords(t, "after Restore")
	restored, err := other.Ports.Chain.Head(t.Context())
	wantNil(t, "Chain.Head after Restore", err)
	wantSame(t, "the head of the chain after Restore", restored, head)
	other.append(t, 2)
	chainAll(t, other.Ports.Chain)
	other.wantChained(t, "after Restore and Chain", true)
	other.wantKnown(t, "after Restore", is)
	other.wantSeen(t, "after Restore", everything, b.ID, a.ID)
	for _, p := range []domain.Project{a, b} {
		found, err := other.Ports.Projects.Find(t.Context(), everything, domain.ProjectRef{ID: p.ID})
		wantNil(t, "Projects.Find after Restore", err)
		wantSame(t, "Projects.Find after Restore", found, []domain.Project{p})
	}
	other.wantKeys(t, "after Restore", a, map[domain.Slot]domain.Sealed{
		domain.SlotPrimary: keyOf(a), domain.SlotSecondary: otherKey(a), domain.SlotPersonal: personalKey(a),
	})
	other.wantKey(t, "after Restore", b, keyOf(b))
	for _, u := range []domain.User{ada, ben} {
		found, err := other.Ports.Users.Find(t.Context(), domain.UserRef{ID: u.ID})
		wantNil(t, "Users.Find after Restore", err)
		wantSame(t, "Users.Find after Restore", found, u)
	}
	for _, in := range []*fixture{f, other} {
		grants, err := in.Ports.Grants.Page(t.Context(), domain.GrantFilter{}, domain.Cursor{}, 10)
		wantNil(t, "Grants.Page", err)
		if len(grants) != 2 || grants[0].Scopes != domain.DefaultScopes() || grants[1].Scopes != domain.AllScopes() {
			t.Fatalf("got the grants %+v", grants)
		}
		tokens, err := in.Ports.Tokens.Page(t.Context(), "", domain.Cursor{}, 10)
		wantNil(t, "Tokens.Page", err)
		if len(tokens) != 2 {
			t.Fatalf("got %d access tokens, want 2", len(tokens))
		}
		wantSame(t, "the tokens", tokens, []domain.AccessToken{managing, limited})
		sums, err := in.Ports.Usage.Report(t.Context(), domain.UsageQuery{From: counted.Day, To: counted.Day, GroupBy: domain.UsageFields()}, nil, 10)
		wantNil(t, "Usage.Report", err)
		wantSame(t, "the usage", sums, []domain.Usage{counted})
	}
	caller, err := byToken(t.Context(), other.Ports.Access, tokenHash(managing))
	wantNil(t, "Access.ByToken after Restore", err)
	wantSame(t, "whose token it is", caller.ID, ada.ID)
}

func archiveSessions(t *testing.T, f, other *fixture) {
	p, u := f.addNamed(t, "p"), f.admin(t, "ada")
	login := f.login(t, u)
	set := f.set(t, f.byRole(login, p.ID))
	conversation := f.converse(t, f.conversation(set, domain.AccessToken{}))
	rows := f.snapshot(t, "with sessions")
	wantNil(t, "Restore", other.Archive.Restore(t.Context(), listed(rows), byOperator(f.restoring())))
	other.wantOver(t, "after Restore", login, set)
	_, err := other.Ports.Conversations.Renew(t.Context(), conversation.ID, conversation.Key, conversation.Key)
	wantKind(t, "a conversation after Restore", err, domain.NotFound)
	f.wantLive(t, "where the snapshot was taken", login, set)
}

// archiveMoment writes at every row that Snapshot gives.
func archiveMoment(t *testing.T, f *fixture) {
	for i := range 3 {
		p := f.addNamed(t, fmt.Sprintf("p%d", i))
		f.grant(t, "u", p.ID)
	}
	before := f.snapshot(t, "before")
	at := f.instances(t)
	var during []archive.Row
	wantNil(t, "Snapshot", f.Archive.Snapshot(t.Context(), func(row archive.Row) error {
		during = append(during, row)
		writer := &fixture{Store: at[len(during)%len(at)], clock: f.clock}
		writer.number.Store(f.number.Add(10))
		p := writer.addNamed(t, "new")
		writer.grant(t, "u", p.ID)
		return nil
	}))
	wantRows(t, "with others who wrote", during, before)
	if after := f.snapshot(t, "after"); len(after) <= len(before) {
		t.Fatalf("got %d rows after all that, and %d before", len(after), len(before))
	}
}

func archiveEachFails(t *testing.T, f *fixture) {
	f.addNamed(t, "p")
	f.addNamed(t, "q")
	for _, refusal := range []error{errRefused, &domain.Error{Kind: domain.Corrupt, Public: "no"}} {
		calls := 0
		err := f.Archive.Snapshot(t.Context(), func(archive.Row) error {
			calls++
			return refusal
		})
		if err != refusal || calls != 1 { //nolint:errorlint // the very error
			t.Fatalf("got error %v after %d calls, want %v after one", err, calls, refusal)
		}
	}
}

func archiveMakesWay(t *testing.T, f *fixture) {
	f.prepare(t, "a first start", domain.Installation{}, installationOf(9))
	wantNil(t, "Audit.Append", f.Ports.Audit.Append(t.Context(), f.record(domain.ActionLogin, "-")))
	wantNil(t, "Usage.Add", f.Ports.Usage.Add(t.Context(), []domain.Usage{{UsageKey: domain.UsageKey{Day: "2026-11-25"}, Calls: 1}}, nil))
	rows, rec := archivedRows(), f.restoring()
	wantNil(t, "Restore", f.Archive.Restore(t.Context(), listed(rows), byOperator(rec)))
	wantRows(t, "after Restore", f.snapshot(t, "after Restore"), behindAudit(rows, archivedRecord(4, rec)))
}

func archiveInUse(t *testing.T, f *fixture) {
	u := f.admin(t, "ada")
	for _, what := range []string{"a user", "a user and a project", "a project"} {
		switch what {
		case "a user and a project":
			f.addNamed(t, "p")
		case "a project":
			f.removeUser(t, u.ID)
		}
		before := f.snapshot(t, "with "+what)
		err := f.Archive.Restore(t.Context(), listed(archivedRows()), byOperator(f.restoring()))
		wantKind(t, "Restore with "+what, err, domain.Conflict)
		wantRows(t, "after a Restore with "+what, f.snapshot(t, "with "+what), before)
	}
}

func archiveCorrupt(t *testing.T, f *fixture) {
	find := func(rows []archive.Row, table string) int {
		return slices.IndexFunc(rows, func(r archive.Row) bool { return r.Table == table })
	}
	// with has another value in a column of the first row of a table.
	with := func(table string, column int, value any) func([]archive.Row) []archive.Row {
		return func(rows []archive.Row) []archive.Row {
			rows[find(rows, table)].Values[column] = value
			return rows
		}
	}
	for _, tc := range []struct {
		name string
		harm func(rows []archive.Row) []archive.Row
	}{
		{"an unknown table", func(rows []archive.Row) []archive.Row {
			return append(rows, archive.Row{Table: "sessions", Values: []any{"x"}})
		}},
		{"a value too few", func(rows []archive.Row) []archive.Row {
			rows[3].Values = rows[3].Values[1:]
			return rows
		}},
		{"a number for a text", with("users", 1, int64(7))},
		{"a text for a number", with("audit", 0, "7")},
		{"a text for a secret", with("users", 4, "hash")},
		{"nothing where something must be", with("projects", 1, nil)},
		{"NUL in a text", with("usage", 1, "a\x00b")},
		{"a row twice", func(rows []archive.Row) []archive.Row { return slices.Insert(rows, 2, rows[1]) }},
		{"rows out of order", func(rows []archive.Row) []archive.Row {
			rows[1], rows[2] = rows[2], rows[1]
			return rows
		}},
		{"tables out of order", func(rows []archive.Row) []archive.Row {
			return append(rows[find(rows, "users"):], rows[:find(rows, "users")]...)
		}},
		{"two projects of one pair", func(rows []archive.Row) []archive.Row {
			rows[2].Values[3] = rows[1].Values[3]
			return rows
		}},
		{"two users of one name", func(rows []archive.Row) []archive.Row {
			rows[find(rows, "users")+1].Values[1] = "ada"
			return rows
		}},
		{"a key of no project", with("project_keys", 0, "00")},
		{"a grant on no project", with("grants", 1, "none")},
		{"a grant with another name than its project", with("grants", 2, "another")},
		{"a token of no user", with("access_tokens", 4, "none")},
		{"two tokens of one hash", with("access_tokens", 1, bytes.Repeat([]byte{3}, 32))},
		{"two tokens, one with the hash that the other had before", with("access_tokens", 1, bytes.Repeat([]byte{2}, 32))},
	} {
		rows := tc.harm(archivedRows())
		wantKind(t, "Restore of "+tc.name, f.Archive.Restore(t.Context(), listed(rows), byOperator(f.restoring())), domain.Corrupt)
		wantRows(t, "after a Restore of "+tc.name, f.snapshot(t, tc.name), nil)
	}
}

func archiveRowsFail(t *testing.T, f *fixture) {
	all := archivedRows()
	for _, refusal := range []error{errRefused, &domain.Error{Kind: domain.Invalid, Public: "no"}} {
		for n := range len(all) + 1 {
			err := f.Archive.Restore(t.Context(), func(yield func(archive.Row, error) bool) {
				for _, row := range all[:n] {
					if !yield(row, nil) {
						return
					}
				}
				if yield(archive.Row{}, refusal) {
					t.Error("Restore goes on after an error")
				}
			}, byOperator(f.restoring()))
			if err != refusal { //nolint:errorlint // the very error
				t.Fatalf("got error %v behind %d rows, want %v", err, n, refusal)
			}
		}
	}
	wantRows(t, "afterwards", f.snapshot(t, "afterwards"), nil)
}

func archiveNewer(t *testing.T, f *fixture) {
	if f.Outgrow == nil {
		return
	}
	f.Outgrow(t)
	wantKind(t, "Restore", f.Archive.Restore(t.Context(), listed(archivedRows()), byOperator(f.restoring())), domain.Conflict)
}

func archiveAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	const many = 8
	recs, errs := make([]domain.Record, many), make([]error, many)
	for i := range recs {
		recs[i] = f.restoring()
	}
	atOnce(many, func(i int) {
		errs[i] = at[i%len(at)].Archive.Restore(t.Context(), listed(archivedRows()), byOperator(recs[i]))
	})
	won := slices.Index(errs, nil)
	for i, err := range errs {
		if i != won {
			wantKind(t, "one of many Restores", err, domain.Conflict)
		}
	}
	if won < 0 {
		t.Fatal("none of many Restores succeeded")
	}
	wantRows(t, "afterwards", f.snapshot(t, "afterwards"), behindAudit(archivedRows(), archivedRecord(4, recs[won])))
}

// archiveBesidePrepare has a Prepare wait whose time ends meanwhile, and one that goes on.
func archiveBesidePrepare(t *testing.T, f *fixture) {
	at := f.instances(t)
	last := at[len(at)-1].Ports.Installation
	saw, prepared := domain.Installation{}, make(chan error, 1)
	wantNil(t, "Restore", f.Archive.Restore(t.Context(), func(yield func(archive.Row, error) bool) {
		ctx, cancel := context.WithTimeout(t.Context(), shortly)
		defer cancel()
		err := last.Prepare(ctx, func(is domain.Installation) (domain.Installation, error) {
			t.Error("Prepare during a Restore: got a call of check, want none")
			return is, nil
		})
		if problem := otherThan(err, domain.Unavailable); problem != "" {
			t.Errorf("Prepare whose context ended during a Restore: %s", problem)
		}
		go func() {
			prepared <- last.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) {
				saw = is
				return is, nil
			})
		}()
		linger()
		for row, err := range listed(archivedRows()) {
			if !yield(row, err) {
				return
			}
		}
	}, byOperator(f.restoring())))
	wantNil(t, "Prepare", <-prepared)
	if saw.Known.Key != "17" || saw.Origin != origin || saw.Pseudonyms.Key != "18" {
		t.Fatalf("Prepare saw %+v", saw)
	}
}

func archiveGoesOn(t *testing.T, f *fixture) {
	rows, rec := archivedRows(), f.restoring()
	wantNil(t, "Restore", f.Archive.Restore(t.Context(), listed(rows), byOperator(rec)))
	want := behindAudit(rows, archivedRecord(4, rec))
	for n := range 3 {
		next := f.record(domain.ActionForward, "p")
		wantNil(t, "Audit.Append", f.Ports.Audit.Append(t.Context(), next))
		want = behindAudit(want, archivedRecord(5+n, next))
	}
	wantRows(t, "afterwards", f.snapshot(t, "afterwards"), want)
}

func archiveArguments(t *testing.T, f *fixture) {
	rows, rec := archivedRows(), f.restoring()
	wantNil(t, "Restore", f.Archive.Restore(t.Context(), listed(rows), byOperator(rec)))
	wantRows(t, "the rows that were given", rows, archivedRows())
	scribble := func(rows []archive.Row) {
		for _, row := range rows {
			for i := range row.Values {
				if b, ok := row.Values[i].([]byte); ok {
					clear(b)
				}
				row.Values[i] = nil
			}
		}
	}
	scribble(rows)
	want := behindAudit(archivedRows(), archivedRecord(4, rec))
	got := f.snapshot(t, "after the arguments were changed")
	wantRows(t, "after the arguments were changed", got, want)
	scribble(got)
	wantRows(t, "after the results were changed", f.snapshot(t, "after the results were changed"), want)
}

func archiveUnavailable(t *testing.T, f *fixture) {
	f.wantUnavailable(t, func(t *testing.T) { wantRows(t, "afterwards", f.snapshot(t, "afterwards"), nil) },
		step{"Snapshot", func(ctx context.Context) error {
			return f.Archive.Snapshot(ctx, func(archive.Row) error { return nil })
		}},
		step{"Restore", func(ctx context.Context) error {
			return f.Archive.Restore(ctx, listed(archivedRows()), byOperator(f.restoring()))
		}},
	)
}

func archiveBroken(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancelCause(t.Context())
	returned := make(chan struct{})
	var err error
	go func() {
		defer close(returned)
		err = f.Archive.Restore(ctx, func(yield func(archive.Row, error) bool) {
			for i, row := range archivedRows() {
				if i == 12 {
					cancel(errors.New("the operator has seen enough"))
				}
				if !yield(row, nil) {
					return
				}
			}
		}, byOperator(f.restoring()))
	}()
	wantReturn(t, "Restore", returned)
	wantKind(t, "a Restore that is interrupted", err, domain.Unavailable)
	wantRows(t, "afterwards", f.snapshot(t, "afterwards"), nil)
	later, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	wantNil(t, "Restore afterwards", f.Archive.Restore(later, listed(archivedRows()), byOperator(f.restoring())))
}
