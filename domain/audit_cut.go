package domain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AuditCut tells where the audit begins after older rows were removed. It is a part of the signed head, so
// nobody can make another one, or use an older one, without the keyset. It is zero if no row was removed.
type AuditCut struct {
	ChainPoint           // the last row that was removed
	Rows       int64     // how many rows the last cut removed; Seq is how many all cuts have removed
	At         time.Time // when they were removed
	Before     time.Time // all removed rows are from before that time
}

// Tells reports whether rows that were cut told of what began at that time.
func (c AuditCut) Tells(began time.Time) bool { return c != (AuditCut{}) && began.Before(c.Before) }

// Text returns the text of the cut that is stored and signed. It is "" for the zero AuditCut.
func (c AuditCut) Text() string {
	if c == (AuditCut{}) {
		return ""
	}
	return c.String() + ":" + strconv.FormatInt(c.Rows, 10) + ":" +
		strconv.FormatInt(c.At.UnixMicro(), 10) + ":" + strconv.FormatInt(c.Before.UnixMicro(), 10)
}

// ParseAuditCut reads what Text wrote. Any other text makes the zero AuditCut, which the head is not signed
// for.
func ParseAuditCut(text string) AuditCut {
	parts := strings.Split(text, ":")
	if len(parts) != 5 {
		return AuditCut{}
	}
	var c AuditCut
	var numbers [3]int64
	var err error
	if c.ChainPoint, err = ParseChainPoint(parts[0] + ":" + parts[1]); err != nil {
		return AuditCut{}
	}
	for i, part := range parts[2:] {
		if numbers[i], err = strconv.ParseInt(part, 10, 64); err != nil {
			return AuditCut{}
		}
	}
	c.Rows, c.At, c.Before = numbers[0], time.UnixMicro(numbers[1]).UTC(), time.UnixMicro(numbers[2]).UTC()
	if c.Text() != text {
		return AuditCut{}
	}
	return c
}

// LeastUsageDays is the shortest time for which usage is kept, in days. Usage of the current month is needed.
const LeastUsageDays = 31

// KeptFrom returns the first day that is kept if so many days are kept, today included or not: the days that
// are over count. 0 days keep everything, and the day is "".
func KeptFrom(now time.Time, days int) Day {
	if days <= 0 {
		return ""
	}
	return DayOf(now.UTC().AddDate(0, 0, -days))
}

// maxCarried is how many unfinished calls one cut carries over.
const maxCarried = 1000

// Cutting decides how far the audit is cut. It takes the rows in the order of the chain. The rows at the
// beginning that are from days that are not kept are removed. A row that is not settled stays, with all rows
// after it, and so does the last row of the chain.
//
// A call that has begun and whose outcome is unknown must stay known. Its row is written again, at the end.
type Cutting struct {
	from   AuditCut
	before time.Time
	end    ChainPoint
	head   AuditHead
	limit  int64
	ended  bool
	begun  map[string]Record // calls without an outcome so far, by the id of the request
}

// NewCutting returns a Cutting of a chain with that head, which keeps the rows from the day on. limit is the
// last row that may be removed; 0 is no limit.
func NewCutting(head AuditHead, keptFrom Day, limit int64) *Cutting {
	before, _ := time.Parse(time.DateOnly, string(keptFrom))
	return &Cutting{from: head.Cut, before: before, end: head.Cut.ChainPoint, head: head, limit: limit, begun: map[string]Record{}}
}

// Add takes the next row of the chain, which is at p.
func (c *Cutting) Add(p ChainPoint, row AuditRow) {
	if !c.ended && !c.removes(p, row) {
		c.ended = true
	}
	was, open := c.begun[row.RequestID]
	switch {
	case !c.ended && row.Outcome == OutcomeBegun:
		c.begun[row.RequestID] = row.Record
	case open && row.Action == ActionForward && row.Object == was.Object: // its outcome, or the same row written again
		delete(c.begun, row.RequestID)
	}
	if !c.ended {
		c.end = p
	}
}

// removes reports whether the row is removed, if all rows before it are.
func (c *Cutting) removes(p ChainPoint, row AuditRow) bool {
	return row.At.Before(c.before) && row.ID <= c.head.Settled && p.Seq < c.head.Seq && (c.limit == 0 || p.Seq <= c.limit) &&
		(row.Outcome != OutcomeBegun || len(c.begun) < maxCarried)
}

// Done reports whether further rows change nothing.
func (c *Cutting) Done() bool { return c.ended && len(c.begun) == 0 }

// Cut returns where the audit begins once the rows are removed, at that time. It is the old cut if there is
// nothing to remove.
func (c *Cutting) Cut(now time.Time) AuditCut {
	if c.end == c.from.ChainPoint {
		return c.from
	}
	cut := AuditCut{ChainPoint: c.end, Rows: c.end.Seq - c.from.Seq, At: Instant(now), Before: c.before}
	if c.from.Before.After(cut.Before) {
		cut.Before = c.from.Before
	}
	return cut
}

// Carried returns the rows to write again, the oldest first.
func (c *Cutting) Carried() []Record {
	return slices.SortedFunc(maps.Values(c.begun), func(a, b Record) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.RequestID, b.RequestID))
	})
}

// AuditFilesFrom returns how the names of the files begin whose first row is that one.
func AuditFilesFrom(first int64) string { return fmt.Sprintf("audit-%012d-", first) }

// AuditFileName returns the name of the file with the rows from first to last. The names are in the order of
// the rows.
func AuditFileName(first, last int64) string {
	return fmt.Sprintf("%s%012d.jsonl", AuditFilesFrom(first), last)
}

// LastInAuditFile returns the last row of the file of that name, whose first row is first. ok is false if
// AuditFileName makes no such name.
func LastInAuditFile(first int64, name string) (last int64, ok bool) {
	text := strings.TrimSuffix(strings.TrimPrefix(name, AuditFilesFrom(first)), ".jsonl")
	last, err := strconv.ParseInt(text, 10, 64)
	return last, err == nil && last >= first && AuditFileName(first, last) == name
}
