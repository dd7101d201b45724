package archive_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

func TestTablesOfAnArchiveAreToldApart(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range archive.Tables() {
		if seen[table.Name] || table.Key < 1 || table.Key > len(table.Columns) {
			t.Errorf("%s is there twice, or has a key of %d columns", table.Name, table.Key)
		}
		seen[table.Name] = true
		for i, column := range table.Columns {
			name := table.Name + "." + column.Name
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			if i < table.Key && (column.Optional || column.Kind != archive.Text && column.Kind != archive.Number) {
				t.Errorf("%s can't be in a key", name)
			}
		}
	}
}

func TestRowsOfAnArchiveAreChecked(t *testing.T) {
	chain := func(values ...any) archive.Row { return archive.Row{Table: "audit_chain", Values: values} }
	hash := []byte("hash")
	key := func(project, slot string) archive.Row {
		return archive.Row{Table: "project_keys", Values: []any{project, slot, domain.KeyID("1"), hash}}
	}
	for _, tc := range []struct {
		name      string
		row, than archive.Row
		says      string // "" for a row that may be
	}{
		{"the first", chain(int64(1), int64(1), hash), archive.Row{}, ""},
		{"a later one", chain(int64(2), int64(1), hash), chain(int64(1), int64(1), hash), ""},
		{"a later one, by number and not by text", chain(int64(10), int64(1), hash), chain(int64(9), int64(1), hash), ""},
		{"one of a later table", chain(int64(1), int64(1), hash), key("p", "primary"), ""},
		{"a later one by the second column of the key", key("p", "secondary"), key("p", "primary"), ""},
		{"a later one by bytes", key("é", "primary"), key("z", "secondary"), ""},
		{"the same", chain(int64(1), int64(2), nil), chain(int64(1), int64(1), hash), "something else in hash"},
		{"the same again", chain(int64(1), int64(2), hash), chain(int64(1), int64(1), hash), "twice or out of order"},
		{"an earlier one", key("p", "primary"), key("p", "secondary"), "twice or out of order"},
		{"one of an earlier table", key("p", "primary"), chain(int64(1), int64(1), hash), "twice or out of order"},
		{"one of an unknown table", archive.Row{Table: "sessions"}, archive.Row{}, "unknown table"},
		{"one without values", chain(), archive.Row{}, "too many or too few"},
		{"another number", chain(1, int64(1), hash), archive.Row{}, "something else in seq"},
		{"invalid text", key("\xff", "primary"), archive.Row{}, "something else in project_id"},
		{"NUL", key("p\x00", "primary"), archive.Row{}, "something else in project_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.row.CheckAfter(tc.than)
			if tc.says == "" {
				if err != nil {
					t.Errorf("got error %v", err)
				}
				return
			}
			if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got error %v, want one that says %q", err, tc.says)
			}
		})
	}
}

func TestValuesOfAnArchivedRowAreFoundByName(t *testing.T) {
	row := archive.Row{Table: "audit_chain", Values: []any{int64(1), int64(7)}}
	for column, want := range map[string]any{"audit_id": int64(7), "hash": nil, "none": nil} {
		if got := row.Value(column); got != want {
			t.Errorf("%s: got %v, want %v", column, got, want)
		}
	}
	if got := (archive.Row{Table: "none"}).Value("id"); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestARowOfAnEarlierArchiveIsUpgraded(t *testing.T) {
	first := func(secondary string) archive.Row {
		return archive.Row{Table: "projects", Values: []any{
			"p", "name", "v", "main", "", int64(1), int64(2), "ok", "ok", secondary, int64(3), int64(4),
		}}
	}
	second := func(secondary string) archive.Row {
		row := first(secondary)
		row.Values = append(row.Values, int64(3), int64(4))
		return row
	}
	other := archive.Row{Table: "audit_chain", Values: []any{int64(1), int64(1), []byte("hash")}}
	for _, tc := range []struct {
		name         string
		row          archive.Row
		version      int
		checked, set any // of the secondary key
	}{
		{"with one key", first("none"), 1, int64(0), int64(0)},
		{"with two keys", first("rejected"), 1, int64(3), int64(4)},
		{"with two keys, already upgraded", second("rejected"), 2, int64(3), int64(4)},
		{"of another table", other, 1, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(tc.row.Values)
			if table, _ := archive.TableNamed(tc.row.Table); len(table.ColumnsOf(tc.version)) != before {
				t.Errorf("the version has %d columns, and the row has %d", len(table.ColumnsOf(tc.version)), before)
			}
			got := tc.row.Upgraded(tc.version)
			if err := got.Check(); err != nil {
				t.Error(err)
			}
			if status := got.Value("personal_status"); status != nil && status != "none" {
				t.Errorf("got a personal key that is %v", status)
			}
			if got.Value("secondary_checked") != tc.checked || got.Value("secondary_set") != tc.set || len(tc.row.Values) != before {
				t.Errorf("got %v", got.Values)
			}
		})
	}
}

func TestScopesOfAnEarlierArchiveAreUpgraded(t *testing.T) {
	grant := func(scopes string) archive.Row {
		return archive.Row{Table: "grants", Values: []any{"u", "p", "name", int64(1), scopes}}
	}
	token := func(scopes string) archive.Row {
		return archive.Row{Table: "access_tokens", Values: []any{
			"t", []byte("hash"), "name", "flk_", "u", "p", scopes, false, int64(1), int64(2), int64(0),
		}}
	}
	for _, tc := range []struct {
		name, was string
		version   int
		want      string
	}{
		{"converse alone", "converse", 1, "converse state"},
		{"converse among others", "converse analytics", 2, "converse state analytics"},
		{"without converse", "transcripts", 2, "transcripts"},
		{"managing", "manage", 2, "manage"},
		{"of this version", "converse", 3, "converse"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, row := range []archive.Row{grant(tc.was), token(tc.was)} {
				if got := row.Upgraded(tc.version).Value("scopes"); got != tc.want || row.Value("scopes") != tc.was {
					t.Errorf("%s: got %q, want %q, and the row itself unchanged", row.Table, got, tc.want)
				}
			}
		})
	}
}

func TestATokenOfAnEarlierArchiveKeepsTheRateThatItHad(t *testing.T) {
	token := func(own bool) archive.Row {
		return archive.Row{Table: "access_tokens", Values: []any{
			"t", []byte("hash"), "name", "flk_abcdef", "u", "p", "converse", own, int64(1), int64(2), int64(0),
		}}
	}
	for _, tc := range []struct {
		name    string
		row     archive.Row
		version int
		rate    any
	}{
		{"for a back end, of the first version", token(true), 1, int64(120)},
		{"for a back end", token(true), 2, int64(120)},
		{"with bound user ids", token(false), 2, int64(0)},
		{"of version 3", archive.Row{Table: "access_tokens", Values: append(token(true).Values, int64(120), int64(0))}, 3, int64(120)},
		{"already upgraded", token(true).Upgraded(2), archive.Version, int64(120)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.row.Upgraded(tc.version)
			if err := got.Check(); err != nil {
				t.Error(err)
			}
			if got.Value("rate") != tc.rate || got.Value("open") != int64(0) {
				t.Errorf("got %v", got.Values)
			}
		})
	}
}

func TestAnEarlierArchiveHasNoEnvironments(t *testing.T) {
	const text = `{"default":"main","allowed":"all","allow_draft":[]}`
	project := archive.Row{Table: "projects", Values: []any{
		"p", "name", "v", "main", "", int64(1), int64(2), "ok", "ok", "none", int64(3), int64(4), int64(0), int64(0),
	}}
	token := archive.Row{Table: "access_tokens", Values: []any{
		"t", []byte("hash"), "name", "flk_abcdef", "u", "p", "converse", false, int64(1), int64(2), int64(0), int64(0), int64(0),
	}}
	with := func(row archive.Row, values ...any) archive.Row {
		return archive.Row{Table: row.Table, Values: slices.Concat(row.Values, values)}
	}
	for _, tc := range []struct {
		name    string
		row     archive.Row
		version int
		want    any
	}{
		{"an assistant of version 3", project, 3, ""},
		{"an access token of version 3", token, 3, ""},
		{"an assistant of version 4", with(project, text, "none", int64(0), int64(0)), 4, text},
		{"an assistant of version 5", with(project, text, "none", int64(0), int64(0), "https://cdn.example.com", "name"), 5, text},
		{"an access token of version 4", with(token, "main dev", int64(0), nil, int64(0)), 4, "main dev"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.row.Upgraded(tc.version)
			if err := got.Check(); err != nil || got.Value("environments") != tc.want {
				t.Errorf("got %v, %v", got.Values, err)
			}
		})
	}
}

func TestAnEarlierArchiveHasNoSignOns(t *testing.T) {
	for _, row := range []archive.Row{
		{Table: "users", Values: []any{"u", "ana", "member", false, domain.NewSecret("hash"), int64(1)}},
		{Table: "grants", Values: []any{"u", "p", "name", int64(1), "converse"}},
	} {
		got := row.Upgraded(5)
		if err := got.Check(); err != nil {
			t.Errorf("%s: %v", row.Table, err)
		}
		for _, column := range []string{"identity_issuer", "identity_subject", "admin_by", "sources"} {
			if value := got.Value(column); value != nil && value != "" {
				t.Errorf("%s: got %q in %s, want nothing", row.Table, value, column)
			}
		}
		if again := got.Upgraded(archive.Version); len(again.Values) != len(got.Values) {
			t.Errorf("%s: got %d values after another upgrade, want %d", row.Table, len(again.Values), len(got.Values))
		}
	}
	for _, table := range []string{"user_groups", "group_rules"} {
		t5, _ := archive.TableNamed(table)
		if len(t5.ColumnsOf(5)) != 0 {
			t.Errorf("%s has columns in version 5", table)
		}
	}
}

func TestAnEarlierArchiveHasNoCut(t *testing.T) {
	head := archive.Row{Table: "audit_head", Values: []any{int64(1), int64(7), []byte("hash"), domain.KeyID("1"), []byte("sealed"), int64(7)}}
	for _, version := range []int{1, 6} {
		if got := head.Upgraded(version); got.Check() != nil || got.Value("cut") != "" {
			t.Errorf("version %d: got %v", version, got.Values)
		}
	}
}
