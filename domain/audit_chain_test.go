package domain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func auditRow(id int64) domain.AuditRow {
	return domain.AuditRow{ID: id, Record: domain.Record{
		At: time.UnixMicro(1_000_000 * id).UTC(), Actor: "user:u", Action: "login", Object: "session:s", Outcome: "ok",
		RequestID: "r", Address: "192.0.2.1", Count: 1,
	}}
}

// aChain is a chain over n rows.
func aChain(n int64) []domain.ChainedRow {
	var rows []domain.AuditRow
	for id := int64(1); id <= n; id++ {
		rows = append(rows, auditRow(10*id))
	}
	var out []domain.ChainedRow
	for i, link := range (domain.ChainPoint{}).Extend(rows) {
		out = append(out, domain.ChainedRow{Link: link, Row: rows[i]})
	}
	return out
}

// checkAll goes through a chain and returns the end, or why it is broken.
func checkAll(rows []domain.ChainedRow) (domain.ChainPoint, error) {
	var p domain.ChainPoint
	var err error
	for _, r := range rows {
		if p, err = p.Check(r); err != nil {
			break
		}
	}
	return p, err
}

func TestAChainSaysWhatWasDoneToIt(t *testing.T) {
	change := func(change func(r *domain.AuditRow)) func([]domain.ChainedRow) []domain.ChainedRow {
		return func(rows []domain.ChainedRow) []domain.ChainedRow {
			change(&rows[2].Row)
			return rows
		}
	}
	for _, tc := range []struct {
		name   string
		tamper func([]domain.ChainedRow) []domain.ChainedRow
		says   string // "" for a whole chain
	}{
		{"nothing", func(rows []domain.ChainedRow) []domain.ChainedRow { return rows }, ""},
		{"another time", change(func(r *domain.AuditRow) { r.At = r.At.Add(time.Microsecond) }), "row 30 (seq 3)"},
		{"another actor", change(func(r *domain.AuditRow) { r.Actor = "user:v" }), "row 30 (seq 3)"},
		{"another action", change(func(r *domain.AuditRow) { r.Action = "logout" }), "row 30 (seq 3)"},
		{"another object", change(func(r *domain.AuditRow) { r.Object = "" }), "row 30 (seq 3)"},
		{"another outcome", change(func(r *domain.AuditRow) { r.Outcome = "rejected" }), "row 30 (seq 3)"},
		{"another request", change(func(r *domain.AuditRow) { r.RequestID = "s" }), "row 30 (seq 3)"},
		{"another address", change(func(r *domain.AuditRow) { r.Address = "192.0.2.2" }), "row 30 (seq 3)"},
		{"another count", change(func(r *domain.AuditRow) { r.Count = 2 }), "row 30 (seq 3)"},
		{"another id", change(func(r *domain.AuditRow) { r.ID = 31 }), "row 30 (seq 3)"},
		{"text moved from one field to the next", change(func(r *domain.AuditRow) { r.Outcome, r.RequestID = "okr", "" }), "row 30 (seq 3)"},
		{"a row removed", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows[2].Gone, rows[2].Row = true, domain.AuditRow{}
			return rows
		}, "row 30 (seq 3) was removed"},
		{"a row and its link removed", func(rows []domain.ChainedRow) []domain.ChainedRow { return slices.Delete(rows, 2, 3) }, "from seq 2 to seq 4 (row 40)"},
		{"a row and its link removed, and those behind moved up", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows = slices.Delete(rows, 2, 3)
			for i := range rows {
				rows[i].Link.Seq = int64(i + 1)
			}
			return rows
		}, "row 40 (seq 3)"},
		{"two rows swapped", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows[1].Row.Record, rows[2].Row.Record = rows[2].Row.Record, rows[1].Row.Record
			return rows
		}, "row 20 (seq 2)"},
		{"two links swapped", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows[1].Row, rows[2].Row = rows[2].Row, rows[1].Row
			rows[1].Link.Row, rows[2].Link.Row = 30, 20
			return rows
		}, "row 30 (seq 2)"},
		{"another hash", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows[2].Link.Hash[31] ^= 1
			return rows
		}, "row 30 (seq 3)"},
		{"a row inserted, with a link that fits, and the others moved down", func(rows []domain.ChainedRow) []domain.ChainedRow {
			rows = slices.Insert(rows, 2, domain.ChainedRow{Link: rows[1].Link.After(auditRow(25)), Row: auditRow(25)})
			for i := range rows {
				rows[i].Link.Seq = int64(i + 1)
			}
			return rows
		}, "row 30 (seq 4)"},
		{"the first one gone", func(rows []domain.ChainedRow) []domain.ChainedRow { return rows[1:] }, "from seq 0 to seq 2 (row 20)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := checkAll(tc.tamper(aChain(5)))
			if tc.says == "" {
				if err != nil {
					t.Fatalf("got error %v", err)
				}
				return
			}
			if domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got error %v, want a Corrupt with %q", err, tc.says)
			}
		})
	}
}

func TestAHeadSaysWhereTheChainEnds(t *testing.T) {
	rows := aChain(5)
	end, err := checkAll(rows)
	if err != nil {
		t.Fatal(err)
	}
	head := domain.AuditHead{ChainPoint: end}
	other := end
	other.Hash[0] ^= 1
	for _, tc := range []struct {
		name string
		ends domain.ChainPoint
		says string
	}{
		{"there", end, ""},
		{"before", rows[2].Link.ChainPoint, "the rows from seq 4 on were cut off"},
		{"behind", end.After(auditRow(60)).ChainPoint, "the links from seq 6 on"},
		{"with another hash", other, "is not the one"},
	} {
		if err := head.Ends(tc.ends); (err == nil) != (tc.says == "") || err != nil && (domain.KindOf(err) != domain.Corrupt || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: got error %v, want one with %q", tc.name, err, tc.says)
		}
	}
}

func TestParseChainPoint(t *testing.T) {
	end, _ := checkAll(aChain(3))
	for _, p := range []domain.ChainPoint{{}, end} {
		if got, err := domain.ParseChainPoint(p.String()); err != nil || got != p {
			t.Errorf("got %v and error %v, want %v", got, err, p)
		}
	}
	good := end.String()
	for _, bad := range []string{
		"", "3", "3:", ":" + good[2:], "03:" + good[2:], "+3:" + good[2:], "-3:" + good[2:], good[:len(good)-1], good + "0", good + ":",
		strings.ToUpper(good), " " + good, "99999999999999999999:" + good[2:], "3:" + strings.Repeat("g", 64),
	} {
		if _, err := domain.ParseChainPoint(bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: got error %v, want Invalid", bad, err)
		}
	}
}

func FuzzParseChainPoint(f *testing.F) {
	f.Add("0:" + strings.Repeat("0", 64))
	f.Add("3:ff")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := domain.ParseChainPoint(text); err == nil && p.String() != text {
			t.Errorf("%q was read as %q", text, p)
		}
	})
}

func TestAuditFilterBounds(t *testing.T) {
	at := func(ns int) time.Time { return time.Date(2026, 11, 25, 6, 0, 0, ns, time.UTC) }
	for _, tc := range []struct {
		text string
		want time.Time
	}{
		{"2026-11-25T06:00:00Z", at(0)},
		{"2026-11-25T08:00:00+02:00", at(0)},
		{"2026-11-25T06:00:00.000001Z", at(1000)},
		{"2026-11-25T06:00:00.000000001Z", at(1000)}, // what is at a microsecond is before it, or at the next
	} {
		f, err := domain.NewAuditFilter("", "", "", "", "", tc.text, tc.text)
		if err != nil || !f.Since.Equal(tc.want) || !f.Until.Equal(tc.want) || f.Since.Location() != time.UTC {
			t.Errorf("%s: got %v to %v and error %v, want %v", tc.text, f.Since, f.Until, err, tc.want)
		}
	}
}

func TestAuditPlaceAt(t *testing.T) {
	if p, err := domain.AuditPlaceAt(domain.Cursor{}); p != nil || err != nil {
		t.Errorf("the zero Cursor: got %v and error %v", p, err)
	}
	want := auditRow(7).Place()
	cursor, err := domain.ParseCursor(domain.AuditList, want.Cursor().Text(domain.AuditList))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := domain.AuditPlaceAt(cursor); err != nil || *p != want {
		t.Errorf("got %v and error %v, want %v", p, err, want)
	}
}

func TestNetworkOf(t *testing.T) {
	for _, same := range [][]string{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", "2001:db8::1%eth0"},
		{"", "no address", "192.0.2.1:80"},
	} {
		for _, address := range same {
			if domain.NetworkOf(address) != domain.NetworkOf(same[0]) {
				t.Errorf("%q and %q are two networks", address, same[0])
			}
		}
	}
	if domain.NetworkOf("192.0.2.1") == domain.NetworkOf("192.0.2.2") || domain.NetworkOf("2001:db8::1") == domain.NetworkOf("2001:db8:0:1::1") {
		t.Error("two networks are one")
	}
}
