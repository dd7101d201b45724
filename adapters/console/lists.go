package console

import (
	"maps"
	"strings"

	"github.com/flowlatch/flowlatch/domain"
)

// pageSize is how many rows a list shows.
const pageSize = 50

// cursor returns the place in a list where the page begins.
func (x *request) cursor(of domain.CursorList) (domain.Cursor, error) {
	return domain.ParseCursor(of, strings.TrimSpace(x.Request().URL.Query().Get("cursor")))
}

// next returns the address of the next page of a list, "" if there is none. It keeps the other
// parameters of the query, without those that may hold a key.
func (x *request) next(after *domain.Cursor, of domain.CursorList) string {
	return x.nextOf(x.Request().URL.Path, after, of)
}

// nextOf is next for a list that a form's page shows and that is at another path.
func (x *request) nextOf(path string, after *domain.Cursor, of domain.CursorList) string {
	if after == nil {
		return ""
	}
	query := x.Request().URL.Query()
	maps.DeleteFunc(query, func(name string, values []string) bool { return noKey(append(values, name)...) != nil })
	query.Set("cursor", after.Text(of))
	return x.console.url(path) + "?" + query.Encode()
}
