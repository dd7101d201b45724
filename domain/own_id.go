package domain

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxOwnUserID is the longest user id that a caller may use, in bytes: Voiceflow takes
// 128 characters in paths and 256 in v4 sessions (its API reference, 'Start session').
const MaxOwnUserID = 256

const (
	// PseudonymPrefix begins every pseudonym. It tells pseudonyms from user ids that callers choose.
	PseudonymPrefix = "fl-"
	// MaxPseudonym is the longest pseudonym, in characters. It is the longest user id that the
	// paths of Voiceflow's API take.
	MaxPseudonym = 128
	// minPseudonym is the length of the pseudonym of a text of one byte.
	minPseudonym = len(PseudonymPrefix) + 24
)

// IsPseudonym reports whether text has the form of a pseudonym, whoever's it is: PseudonymPrefix, p
// or h, and letters, digits, - and _.
func IsPseudonym(text string) bool {
	rest, found := strings.CutPrefix(text, PseudonymPrefix)
	return found && len(text) >= minPseudonym && len(text) <= MaxPseudonym && (rest[0] == 'p' || rest[0] == 'h') &&
		strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// UserIDs turns the user ids and session ids of a caller into those that Voiceflow has, and back.
// The functions return the same result for the same ids, and have no side effects.
type UserIDs struct {
	// Bind turns a caller's own id into Voiceflow's. Returns NotFound if the id is another
	// caller's. Returns Unavailable if the key of the pseudonyms can't be used.
	Bind func(own string) (string, error)
	// Check checks the user ids and the session ids of one call, as Bind returned them. Returns
	// NotFound if one of each joined can be the id of another caller. If Check is nil, no two ids
	// can.
	Check func(users, sessions []string) error
	// Own reverses Bind. ours reports whether bound belongs to this caller. It can be false
	// for a long id of the caller's.
	Own func(bound string) (own string, ours bool)
}

// Find turns an id that a search names into Voiceflow's. A pseudonym stays as it is: whoever may
// search reads what everybody said, and sees others by their pseudonyms. Any other id is the
// caller's own. Returns the error of Bind.
func (ids UserIDs) Find(id string) (string, error) {
	if ids.Bind == nil || IsPseudonym(id) {
		return id, nil
	}
	return ids.Bind(id)
}

// CheckOwnID checks an id that a caller with users of its own has chosen: a user id or a session
// id. Returns NotFound if a reader could take the id for a pseudonym. Readers may trim white
// space, ignore case and invisible characters, decode percent-encodings, or replace characters by
// compatible ones.
func CheckOwnID(id string) error {
	if looksLikePseudonym(id) {
		return &Error{Kind: NotFound, Public: "this user id or session id belongs to another caller; choose one that does not begin with fl-"}
	}
	return nil
}

// CheckOwnIDs checks the ids of one call of a caller with users of its own. Voiceflow keeps the
// state of some conversations under the user id and the session id in one string, among states
// that it keeps under the user id alone (github.com/voiceflow/general-runtime,
// lib/services/interact/index.ts, 2024: stateID = request.userID + request.sessionID). Returns
// NotFound if a user id and a session id spell a pseudonym together, in either order.
func CheckOwnIDs(users, sessions []string) error {
	for _, user := range users {
		for _, session := range sessions {
			joined := [...]string{user + session, spelled(user) + spelled(session), session + user, spelled(session) + spelled(user)}
			if slices.ContainsFunc(joined[:], looksLikePseudonym) {
				return &Error{Kind: NotFound, Public: "this user id and this session id together belong to another caller; choose others"}
			}
		}
	}
	return nil
}

func looksLikePseudonym(id string) bool { return strings.HasPrefix(spelled(id), PseudonymPrefix) }

// spelled returns id as its most lenient reader takes it: decoded, without invisible characters,
// in compatible characters, trimmed and in lower case. Only what matters for PseudonymPrefix is
// replaced.
func spelled(id string) string {
	for plain := unescapedOnce(id); plain != id; plain = unescapedOnce(id) {
		id = plain
	}
	var b strings.Builder
	for _, r := range id {
		if !unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			b.WriteString(compatible(r))
		}
	}
	return strings.ToLower(strings.TrimSpace(b.String()))
}

// unescapedOnce decodes the percent-encodings in text and leaves everything else as it is.
func unescapedOnce(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = after
		if len(after) >= 2 && isHex(after[0]) && isHex(after[1]) {
			plain, _ := url.PathUnescape("%" + after[:2])
			b.WriteString(plain)
			text = after[2:]
		} else {
			b.WriteByte('%')
		}
	}
}

// compatible returns what normalization form KC makes of r, if that begins with a letter of
// PseudonymPrefix or with a hyphen. The list is from a search through all characters of Unicode
// 15. Everything else stays as it is.
func compatible(r rune) string {
	switch {
	case r >= 0xff01 && r <= 0xff5e: // fullwidth forms of ASCII
		return string(r - 0xff01 + '!')
	case r >= 0x1d400 && r <= 0x1d6a3: // mathematical letters, in alphabets of A to Z and a to z
		return string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(r-0x1d400)%52])
	case r >= 0x24b6 && r <= 0x24cf: // circled capitals
		return string(r - 0x24b6 + 'A')
	case r >= 0x24d0 && r <= 0x24e9: // circled small letters
		return string(r - 0x24d0 + 'a')
	case r >= 0x1f130 && r <= 0x1f149: // squared capitals
		return string(r - 0x1f130 + 'A')
	}
	switch r {
	case 'ᶠ', 'ℱ', 'ꟳ':
		return "f"
	case 'ˡ', 'ᴸ', 'ₗ', 'ℒ', 'ℓ', 'Ⅼ', 'ⅼ':
		return "l"
	case 'ﬂ':
		return "fl"
	case '﹣':
		return "-"
	}
	return string(r)
}

// CheckUserID returns Invalid if text can't be a user id or a session id of a caller. what names
// the id in the error.
func CheckUserID(text, what string) error {
	switch {
	case text == "":
		return invalid(what + " is empty; it needs 1 to 256 bytes")
	case len(text) > MaxOwnUserID:
		return invalid(what + " is longer than 256 bytes; use a shorter one")
	case !utf8.ValidString(text):
		return invalid(what + " is not UTF-8; send it in UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return invalid(what + " contains a control character; leave it out")
	}
	return nil
}

// checkPathUserID is CheckUserID for a user id that stands in a path, decoded. Returns Invalid
// also for an id that would mean another path to somebody who decodes it once more, drops
// parameters after semicolons, and cleans the path.
func checkPathUserID(text string) error {
	const what = "the user id in the path"
	if err := CheckUserID(text, what); err != nil {
		return err
	}
	if unescapedOnce(text) != text {
		return invalid(what + " contains an encoded percent-encoding; encode it once")
	}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part, _, _ = strings.Cut(part, ";"); part == "." || part == ".." {
			return invalid(what + " is . or .., or contains it between slashes; use another one")
		}
	}
	return nil
}
