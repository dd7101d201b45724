package archive

import (
	"slices"

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
	if !slices.Contains([]string{"projects", "grants", "access_tokens"}, r.Table) {
		return r
	}
	return r.mapped("name", NameOf)
}
