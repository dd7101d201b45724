package domain

import (
	"strconv"
	"strings"
	"time"
)

// AuditFilter picks rows of the audit. Every field that is not zero must match. An object can
// have several words: that of a grant has its user and its project. One of the words is enough
// to match. The zero AuditFilter picks all rows.
type AuditFilter struct {
	Actor     Actor
	Action    Action
	Object    string
	Outcome   string
	RequestID string
	Since     time.Time // inclusive
	Until     time.Time // exclusive
}

// maxAuditText is the longest text to look for in the audit, in bytes.
const maxAuditText = 2048

// NewAuditFilter reads a filter from texts. An empty text sets no condition. since and until are
// times in the format of RFC 3339. Returns Invalid for a text that can't be in the audit, and for
// an invalid time.
func NewAuditFilter(actor, action, object, outcome, requestID, since, until string) (AuditFilter, error) {
	var f AuditFilter
	for _, text := range []struct {
		name, given string
		into        func(string)
	}{
		{"actor", actor, func(s string) { f.Actor = Actor(s) }},
		{"action", action, func(s string) { f.Action = Action(s) }},
		{"object", object, func(s string) { f.Object = s }},
		{"outcome", outcome, func(s string) { f.Outcome = s }},
		{"request_id", requestID, func(s string) { f.RequestID = s }},
	} {
		if text.given == "" {
			continue
		}
		checked, err := parseText(text.name, text.given, maxAuditText)
		if err != nil {
			return AuditFilter{}, err
		}
		text.into(checked)
	}
	var err error
	if f.Since, err = parseBound("since", since); err == nil {
		f.Until, err = parseBound("until", until)
	}
	if err != nil {
		return AuditFilter{}, err
	}
	return f, nil
}

// parseBound reads a time and rounds it up to whole microseconds. The times of the audit have
// whole microseconds, so rounding moves none of them to the other side.
func parseBound(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalid(name + " is no time like 2026-11-25T06:00:00Z")
	}
	return Instant(t.Add(time.Microsecond - time.Nanosecond)), nil
}

// Matches reports whether the filter picks r.
func (f AuditFilter) Matches(r Record) bool {
	return (f.Actor == "" || f.Actor == r.Actor) && (f.Action == "" || f.Action == r.Action) &&
		(f.Object == "" || strings.Contains(" "+r.Object+" ", " "+f.Object+" ")) && (f.Outcome == "" || f.Outcome == r.Outcome) &&
		(f.RequestID == "" || f.RequestID == r.RequestID) &&
		(f.Since.IsZero() || !r.At.Before(f.Since)) && (f.Until.IsZero() || r.At.Before(f.Until))
}

// AuditPlace is a place in the audit. The audit is ordered by time, then id, newest first.
type AuditPlace struct {
	At time.Time
	ID int64
}

// Place returns the place of the row.
func (r AuditRow) Place() AuditPlace { return AuditPlace{At: r.At, ID: r.ID} }

// Cursor returns the place as a cursor.
func (p AuditPlace) Cursor() Cursor {
	return Cursor{ID: noID, Name: strconv.FormatInt(p.At.UnixMicro(), 10) + " " + strconv.FormatInt(p.ID, 10)}
}

// AuditPlaceAt returns the place that Cursor wrote. It is nil, which is before everything, for
// the zero Cursor. Returns Invalid for any other cursor.
func AuditPlaceAt(c Cursor) (*AuditPlace, error) {
	if c == (Cursor{}) {
		return nil, nil
	}
	at, id, _ := strings.Cut(c.Name, " ")
	us, err := strconv.ParseInt(at, 10, 64)
	p := AuditPlace{At: time.UnixMicro(us).UTC()}
	if err == nil {
		p.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil || p.Cursor() != c {
		return nil, foreignCursor()
	}
	return &p, nil
}
