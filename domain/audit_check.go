package domain

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

const (
	// addedEvery is how often a running service verifies what was added to the audit.
	addedEvery = time.Minute
	// wholeEvery is how often a running service verifies the whole audit.
	wholeEvery = 24 * time.Hour
	// cutAgain is when a running service tries again to remove old rows.
	cutAgain = 10 * time.Minute
)

// MaxTurn is how long a turn lasts at most. The end of a turn is not signed. Somebody who writes to the
// database could set it far away, so that nobody would verify the audit.
const MaxTurn = 10 * time.Minute

// Turn names background work on the audit that one instance does for all.
type Turn string

// The turns.
const (
	TurnVerify Turn = "verify" // to verify the audit
	TurnCut    Turn = "cut"    // to remove old rows of the audit
)

// Claimable reports whether another holder may have a turn that ends then.
func Claimable(ends, now time.Time) bool { return !ends.After(now) || ends.After(now.Add(MaxTurn)) }

// AuditChecked is what a verification of the audit has found.
type AuditChecked struct {
	At     time.Time  // when it ended; zero if none has ended
	Point  ChainPoint // the chain is whole up to here
	Broken string     // a sentence that names the first broken row; "" if there is none
}

// AuditCheck is what the verifications of a service have found. It is stored sealed under the keyset, so
// nobody else can say that a part of the chain was verified.
type AuditCheck struct {
	// Added is the last verification of what was added since the verification before.
	Added AuditChecked
	// Whole is the last verification of the whole chain.
	Whole AuditChecked
	// Cut is the last look for old rows to remove. Its Point is where the audit begins, and Broken says
	// why nothing could be removed.
	Cut AuditChecked
}

// Text returns the text of the check that is sealed.
func (c AuditCheck) Text() string {
	return c.Added.text() + "\n" + c.Whole.text() + "\n" + c.Cut.text()
}

func (c AuditChecked) text() string {
	at := int64(0)
	if !c.At.IsZero() {
		at = c.At.UnixMicro()
	}
	return strconv.FormatInt(at, 10) + " " + c.Point.String() + " " + strconv.Quote(c.Broken)
}

// ParseAuditCheck reads what Text wrote. Returns Corrupt for any other text.
func ParseAuditCheck(text string) (AuditCheck, error) {
	var c AuditCheck
	lines := strings.Split(text, "\n")
	if len(lines) == 3 {
		c = AuditCheck{Added: parseAuditChecked(lines[0]), Whole: parseAuditChecked(lines[1]), Cut: parseAuditChecked(lines[2])}
	}
	if c.Text() != text {
		return AuditCheck{}, &Error{Kind: Corrupt, Public: "the result of the last verification of the audit can't be read"}
	}
	return c, nil
}

// parseAuditChecked reads what text wrote. For any other text, it returns something else.
func parseAuditChecked(text string) (c AuditChecked) {
	at, rest, _ := strings.Cut(text, " ")
	point, quoted, _ := strings.Cut(rest, " ")
	if us, err := strconv.ParseInt(at, 10, 64); err == nil && us != 0 {
		c.At = time.UnixMicro(us).UTC()
	}
	c.Point, _ = ParseChainPoint(point)
	c.Broken, _ = strconv.Unquote(quoted)
	return c
}

// WholeDue reports whether the whole chain is to be verified now.
func (c AuditCheck) WholeDue(now time.Time) bool { return due(c.Whole.At, now, wholeEvery) }

// AddedDue reports whether what was added is to be verified now.
func (c AuditCheck) AddedDue(now time.Time) bool { return due(c.Last(), now, addedEvery) }

// CutDue reports whether old rows are to be looked for now: on each new day, and again ten minutes after
// they could not be removed.
func (c AuditCheck) CutDue(now time.Time) bool {
	every := wholeEvery
	if c.Cut.Broken != "" {
		every = cutAgain
	}
	return due(c.Cut.At, now, every) || DayOf(c.Cut.At) != DayOf(now)
}

// due reports whether something that was last done then is due. If the clock went back, it is.
func due(last, now time.Time, every time.Duration) bool {
	age := now.Sub(last)
	return last.IsZero() || age < 0 || age >= every
}

// Last returns when the last verification of either sort ended.
func (c AuditCheck) Last() time.Time {
	if c.Whole.At.After(c.Added.At) {
		return c.Whole.At
	}
	return c.Added.At
}

// From returns the point from which the next verification of what was added starts.
func (c AuditCheck) From() ChainPoint { return c.Added.Point }

// Broken returns the sentence that names the first broken row, "" if no row is known to be broken. A break
// that the verification of the whole chain found stays until that verification no longer finds it.
func (c AuditCheck) Broken() string { return cmp.Or(c.Whole.Broken, c.Added.Broken) }

// WithAdded returns the check after a verification of what was added.
func (c AuditCheck) WithAdded(found AuditChecked) AuditCheck {
	c.Added = found
	return c
}

// WithWhole returns the check after a verification of the whole chain. If the chain is whole, all that was
// added is verified too.
func (c AuditCheck) WithWhole(found AuditChecked) AuditCheck {
	c.Whole = found
	if found.Broken == "" {
		c.Added = found
	}
	return c
}

// Tells reports whether c names a break that before did not name.
func (c AuditCheck) Tells(before AuditCheck) bool {
	for _, broken := range []string{c.Added.Broken, c.Whole.Broken} {
		if broken != "" && broken != before.Added.Broken && broken != before.Whole.Broken {
			return true
		}
	}
	return false
}
