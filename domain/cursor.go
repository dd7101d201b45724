package domain

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// Cursor is a place in a list that is ordered by the bytes of the name, then the id:
// a page holds what comes after it. The zero Cursor is before everything.
type Cursor struct {
	Name string
	ID   string
}

// CursorList says which list a cursor's text belongs to.
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

// Text writes the cursor for list, in URL-safe characters. It is readable by anyone
// and proves nothing: what it says is a place, never a right.
func (c Cursor) Text(list CursorList) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(list) + c.ID + c.Name))
}

// ParseCursor reads what Text wrote for the same list and is Invalid for any other
// text. The empty text is the zero Cursor.
func ParseCursor(list CursorList, text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	const idLength = 36
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	rest, ours := strings.CutPrefix(string(b), string(list))
	if err != nil || !ours || len(rest) < idLength || len(rest) > idLength+MaxProjectName ||
		!isUUID(rest[:idLength]) || !utf8.ValidString(rest) || strings.ContainsRune(rest, 0) {
		return Cursor{}, invalid("cursor is not one of ours")
	}
	c := Cursor{ID: rest[:idLength], Name: rest[idLength:]}
	if c.Text(list) != text { // the decoder passes over line breaks
		return Cursor{}, invalid("cursor is not one of ours")
	}
	return c, nil
}
