package domain

import (
	"strconv"
	"strings"
	"unicode"
)

// ProjectFilter picks projects. The zero filter picks all.
type ProjectFilter struct {
	// Search is a part of the name, as SearchText compares it, or a whole Id, Voiceflow project id or
	// version. "" picks all.
	Search string
	// Trouble picks those that are InTrouble only.
	Trouble bool
}

// ParseProjectFilter reads the parameter search, which is in NFC, and trims it. Returns Invalid if it
// is longer than MaxProjectName bytes, or has NUL or invalid UTF-8.
func ParseProjectFilter(search string, trouble bool) (ProjectFilter, error) {
	search = strings.TrimSpace(search)
	if len(search) > MaxProjectName || Storable(search) != nil {
		return ProjectFilter{}, invalid("search can be at most " + strconv.Itoa(MaxProjectName) + " bytes of UTF-8 without NUL")
	}
	return ProjectFilter{Search: search, Trouble: trouble}, nil
}

// All reports whether f picks every project.
func (f ProjectFilter) All() bool { return !f.Trouble && f.Part() == "" }

// Part returns what the SearchText of a name has to contain. It is "" if any name will do.
func (f ProjectFilter) Part() string { return SearchText(f.Search) }

// Exact returns what an Id, a Voiceflow project id or a version has to be, if the name does not
// contain Part.
func (f ProjectFilter) Exact() string { return exactSearch(f.Search) }

// Picks reports whether the filter picks p.
func (f ProjectFilter) Picks(p Project) bool {
	if f.Trouble && !p.InTrouble() {
		return false
	}
	exact := f.Exact()
	return strings.Contains(SearchText(p.Name), f.Part()) || exact == string(p.ID) || exact == string(p.Voiceflow) || exact == p.Version
}

// exactSearch returns the text as ids are stored: in lower case. A version that is no id stays as it
// is.
func exactSearch(text string) string {
	text = strings.TrimSpace(text)
	if lower := strings.ToLower(text); isUUID(lower) || isObjectID(lower) {
		return lower
	}
	return text
}

// TroubledStatuses lists the statuses of keys that somebody has to look after.
func TroubledStatuses() []KeyStatus { return []KeyStatus{KeyRejected, KeyNeedsReentry} }

// InTrouble reports whether an admin has to do something about p: a key in any slot has one of
// TroubledStatuses, or the credits are used up.
func (p Project) InTrouble() bool {
	for _, slot := range Slots() {
		if p.Key(slot).Status.Fails() {
			return true
		}
	}
	return p.Credits == CreditsUsedUp
}

// SearchText returns the text, which is in NFC, in the form in which a search compares it. Texts that
// differ in case only have one form: ß is ss, and I with and without a dot is i. So have full-width
// and ASCII letters, and ligatures and their letters. White space becomes one space between words,
// and characters that nobody sees are left out. Accents count. The form of a form is itself. It is
// at most twice as long as the text.
//
// Stores keep the form of each name. So a change of this function needs a migration.
func SearchText(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for _, r := range text {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		folded := foldRune(r)
		if folded == "" {
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteString(folded)
	}
	return b.String()
}

// wideToASCII is the distance of a full-width character from the ASCII character that it stands for
// (Unicode Standard, block 'Halfwidth and Fullwidth Forms').
const wideToASCII = '！' - '!'

// foldRune returns the form of one character in a SearchText. It is "" for a character that is not
// seen.
func foldRune(r rune) string {
	if '！' <= r && r <= '～' {
		r -= wideToASCII
	}
	switch r {
	case 'ß', 'ẞ':
		return "ss"
	case 'İ', 'ı':
		return "i"
	case 'ﬀ':
		return "ff"
	case 'ﬁ':
		return "fi"
	case 'ﬂ':
		return "fl"
	case 'ﬃ':
		return "ffi"
	case 'ﬄ':
		return "ffl"
	case 'ﬅ', 'ﬆ':
		return "st"
	}
	if unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector) {
		return ""
	}
	// Letters of one case orbit become the small form of the first of them.
	first := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		first = min(first, other)
	}
	return string(unicode.ToLower(first))
}
