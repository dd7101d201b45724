package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Day is a day in UTC, such as 2026-11-25.
type Day string

// DayOf returns the day of t.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// ParseDay reads a day such as 2026-11-25. Returns Invalid for any other text. name is the
// parameter in the error.
func ParseDay(name, text string) (Day, error) {
	text = strings.TrimSpace(text)
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.Year() < 1 {
		return "", invalid(name + " must be a day such as 2026-11-25")
	}
	return Day(text), nil
}

// UsageKey is what calls are counted by. In a report, fields that are not grouped by are empty.
type UsageKey struct {
	Day     Day
	Project ProjectID
	User    UserID
	Token   TokenID // "" for a call with a login
	Scope   Scope
}

// By is k with only the given fields.
func (k UsageKey) By(fields []UsageField) UsageKey {
	var by UsageKey
	for _, field := range fields {
		switch field {
		case UsageDay:
			by.Day = k.Day
		case UsageProject:
			by.Project = k.Project
		case UsageUser:
			by.User = k.User
		case UsageToken:
			by.Token = k.Token
		case UsageScope:
			by.Scope = k.Scope
		}
	}
	return by
}

// Compare orders keys by the bytes of their fields. The first field that differs decides. The
// result is negative if k comes before other, and 0 if they are equal.
func (k UsageKey) Compare(other UsageKey) int {
	return cmp.Or(cmp.Compare(k.Day, other.Day), cmp.Compare(k.Project, other.Project), cmp.Compare(k.User, other.User),
		cmp.Compare(k.Token, other.Token), cmp.Compare(k.Scope, other.Scope))
}

// Usage is how often an assistant was used.
type Usage struct {
	UsageKey

	Calls        int64 // calls that were sent to Voiceflow
	Errors       int64 // calls among them without an answer, with a status of at least 400, or with used-up credits
	Milliseconds int64 // how long all calls took, streams included
}

// Plus returns the sum of both, with the key of u.
func (u Usage) Plus(more Usage) Usage {
	u.Calls += more.Calls
	u.Errors += more.Errors
	u.Milliseconds += more.Milliseconds
	return u
}

// CompareCalls orders sums by their calls, the most first, and those with the same number by their
// keys. The result is negative if u comes before other, and 0 if calls and keys are equal.
func (u Usage) CompareCalls(other Usage) int {
	return cmp.Or(cmp.Compare(other.Calls, u.Calls), u.Compare(other.UsageKey))
}

// UsageTop are the largest sums of a report.
type UsageTop struct {
	Most  []Usage // the sums with the most calls, in the order of Usage.CompareCalls
	Sums  int64   // how many sums the report has
	Total Usage   // the total of all sums of the report, without a key
}

// TopUsage returns the limit largest of sums, which are all sums of a report. It sorts sums.
func TopUsage(sums []Usage, limit int) UsageTop {
	top := UsageTop{Sums: int64(len(sums))}
	for _, sum := range sums {
		top.Total = top.Total.Plus(sum)
	}
	slices.SortFunc(sums, Usage.CompareCalls)
	top.Most = sums[:min(len(sums), limit)]
	return top
}

// UsageField is a part of a UsageKey.
type UsageField string

// The fields that usage can be grouped by.
const (
	UsageDay     UsageField = "day"
	UsageProject UsageField = "project"
	UsageUser    UsageField = "user"
	UsageToken   UsageField = "token"
	UsageScope   UsageField = "scope"
)

// UsageFields lists every UsageField, in the order of UsageKey.
func UsageFields() []UsageField {
	return []UsageField{UsageDay, UsageProject, UsageUser, UsageToken, UsageScope}
}

// UsageQuery asks for the sums of usage.
type UsageQuery struct {
	From, To Day          // both inclusive
	GroupBy  []UsageField // in the order of UsageFields, at least one
	Project  ProjectID    // the only project that counts; "" is all
	User     UserID       // the only user who counts; "" is all
}

// Counts reports whether q counts the calls under k.
func (q UsageQuery) Counts(k UsageKey) bool {
	return q.From <= k.Day && k.Day <= q.To && (q.Project == "" || q.Project == k.Project) && (q.User == "" || q.User == k.User)
}

// NewUsageQuery reads the parameters from, to and group_by. group_by is a list with commas, in
// any order. An empty to is today, an empty from makes 30 days that end with to, and an empty
// group_by is all fields. Returns Invalid for other texts, and if from is later than to.
func NewUsageQuery(from, to, groupBy string, now time.Time) (UsageQuery, error) {
	now = now.UTC() // days of other zones may have 23 or 25 hours
	q := UsageQuery{To: DayOf(now), GroupBy: UsageFields()}
	var err error
	if strings.TrimSpace(to) != "" {
		if q.To, err = ParseDay("to", to); err != nil {
			return UsageQuery{}, err
		}
		now, _ = time.Parse(time.DateOnly, string(q.To)) // it was just parsed
	}
	q.From = DayOf(now.AddDate(0, 0, -29))
	if strings.TrimSpace(from) != "" {
		if q.From, err = ParseDay("from", from); err != nil {
			return UsageQuery{}, err
		}
	}
	if q.From > q.To {
		return UsageQuery{}, invalid("from is later than to")
	}
	if strings.TrimSpace(groupBy) == "" {
		return q, nil
	}
	asked := map[UsageField]bool{}
	for word := range strings.SplitSeq(groupBy, ",") {
		field := UsageField(strings.TrimSpace(word))
		if !slices.Contains(q.GroupBy, field) || asked[field] {
			return UsageQuery{}, invalid("group_by can only contain day, project, user, token and scope, each once, separated by commas")
		}
		asked[field] = true
	}
	q.GroupBy = slices.DeleteFunc(q.GroupBy, func(f UsageField) bool { return !asked[f] })
	return q, nil
}

// Rate is how many calls a caller may make.
type Rate struct {
	Limit     int           // calls a minute; 0 is without limit
	Remaining int           // calls that may be made at once
	Reset     time.Duration // until Limit calls may be made at once again
}

// noID is the id in the cursor of a list whose entries have no id.
const noID = "00000000-0000-0000-0000-000000000000"

// Cursor returns the place of k in a report.
func (k UsageKey) Cursor() Cursor {
	return Cursor{ID: noID, Name: strings.Join([]string{string(k.Day), string(k.Project), string(k.User), string(k.Token), string(k.Scope)}, "\n")}
}

// UsageKeyAt returns the place that Cursor wrote. It is nil, which is before everything, for the zero
// Cursor. Returns Invalid for any other cursor.
func UsageKeyAt(c Cursor) (*UsageKey, error) {
	if c == (Cursor{}) {
		return nil, nil
	}
	parts := strings.Split(c.Name, "\n")
	if len(parts) != len(UsageFields()) {
		return nil, foreignCursor()
	}
	k := UsageKey{
		Day: Day(parts[0]), Project: ProjectID(parts[1]), User: UserID(parts[2]), Token: TokenID(parts[3]), Scope: Scope(parts[4]),
	}
	if k.Cursor() != c {
		return nil, foreignCursor()
	}
	return &k, nil
}
