package archive

import (
	"golang.org/x/text/unicode/norm"

	"github.com/flowlatch/flowlatch/domain"
)

// NameOf returns the name of an assistant or of an access token, as it is stored since version 3:
// in NFC. A few characters take more bytes in NFC. A name that would have more than
// domain.MaxProjectName bytes stays as it is, since a store can't index it.
func NameOf(name string) string {
	if normal := norm.NFC.String(name); len(normal) <= domain.MaxProjectName {
		return normal
	}
	return name
}

// withName returns the row with its name as NameOf returns it, for the tables that have the name
// of an assistant or an access token. The name of a user is ASCII.
func (r Row) withName() Row {
	column, named := map[string]int{"projects": 1, "grants": 2, "access_tokens": 2}[r.Table]
	if !named || column >= len(r.Values) {
		return r
	}
	if name, ok := r.Values[column].(string); ok {
		values := append([]any(nil), r.Values...)
		values[column] = NameOf(name)
		r.Values = values
	}
	return r
}
