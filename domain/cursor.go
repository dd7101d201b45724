package domain

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// Cursor is a place in a list that is ordered by the bytes of the name, then the id. A page has
// what comes after its cursor. The zero Cursor is before everything.
type Cursor struct {
	Name string
	ID   string
}

// CursorList is the list that a cursor belongs to.
type CursorList string

// The lists that have cursors.
const (
	ProjectList CursorList = "p"
	UserList    CursorList = "u"
	GrantList   CursorList = "g" // by user, then project
	TokenList   CursorList = "t" // by id
	UsageList   CursorList = "c" // by the fields of UsageKey
	SessionList CursorList = "s" // of one user, by id
	AuditList   CursorList = "a" // by AuditPlace
)

// Text writes the cursor for list, in URL-safe characters. Everybody can read and make such a
// text. It says a place and gives no right.
func (c Cursor) Text(list CursorList) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(list) + c.ID + c.Name))
}

// ParseCursor reads what Text wrote for the same list. The empty text is the zero Cursor. Returns
// Invalid for any other text.
func ParseCursor(list CursorList, text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	const idLength = 36
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	rest, ours := strings.CutPrefix(string(b), string(list))
	if err != nil || !ours || len(rest) < idLength || len(rest) > idLength+MaxProjectName ||
		!isUUID(rest[:idLength]) || !utf8.ValidString(rest) || strings.ContainsRune(rest, 0) {
		return Cursor{}, foreignCursor()
	}
	c := Cursor{ID: rest[:idLength], Name: rest[idLength:]}
	if c.Text(list) != text { // the decoder skips line breaks
		return Cursor{}, foreignCursor()
	}
	return c, nil
}

// foreignCursor is the error for a cursor that is not of this list: Invalid.
func foreignCursor() error { return invalid("cursor is invalid; send a cursor from a response") }
