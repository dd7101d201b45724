// Package archive describes an archive. An archive holds everything that an installation keeps,
// in tables that are the same for every database. A backup is a file with an archive.
package archive

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// Version is the version of the form that Tables describes. To add a table or a column, raise
// Version and put the column last in its table. Row.Upgraded then has to fill it in for rows of
// earlier versions.
const Version = 7

// Table is a table of an archive.
type Table struct {
	Name    string
	Key     int // how many columns, from the first on, identify a row
	Columns []Column
}

// Column is a column of a Table.
type Column struct {
	Name     string
	Kind     Kind
	Optional bool // its value may be nil
	Since    int  // the version that added the column; zero for one of the first version
}

// Kind is the Go type of the values of a column.
type Kind int

// The kinds of columns.
const (
	Text   Kind = iota // string
	Number             // int64
	Flag               // bool
	Bytes              // []byte, which nobody modifies
	KeyID              // domain.KeyID of the key that sealed the bytes beside it
	Secret             // domain.Secret
)

// Row is a row of an archive.
type Row struct {
	Table  string // the name of a Table
	Values []any  // in the order of its columns
}

func textColumn(name string) Column   { return Column{Name: name, Kind: Text} }
func numberColumn(name string) Column { return Column{Name: name, Kind: Number} }
func flagColumn(name string) Column   { return Column{Name: name, Kind: Flag} }
func bytesColumn(name string) Column  { return Column{Name: name, Kind: Bytes} }
func keyIDColumn(name string) Column  { return Column{Name: name, Kind: KeyID} }

func (c Column) since(version int) Column {
	c.Since = version
	return c
}

func (c Column) optional() Column {
	c.Optional = true
	return c
}

// tables are in an order in which each refers only to those before it. Sessions, with what is kept
// of those that the identity provider opened, and conversations are left out, because ended ones must not
// come back. So all users log in again after a restore. What can be used once is left out too: it ends
// within minutes, and none of the logins that it opened come back. Deliveries of webhooks are left out, since
// they were made meanwhile or are too old.
var tables = []Table{
	{"installation", 1, []Column{
		numberColumn("id"), keyIDColumn("key_id"), bytesColumn("known"), textColumn("origin"),
		keyIDColumn("pseudonyms_key_id").optional(), bytesColumn("pseudonyms").optional(),
	}},
	{"projects", 1, []Column{
		textColumn("id"), textColumn("name"), textColumn("voiceflow_id"), textColumn("version"), textColumn("platform"),
		numberColumn("created"), numberColumn("voiceflow_created"), textColumn("key_status"), textColumn("credits"),
		textColumn("secondary_status"), numberColumn("key_checked"), numberColumn("key_set"),
		numberColumn("secondary_checked").since(2), numberColumn("secondary_set").since(2),
		textColumn("environments").since(4),
		textColumn("personal_status").since(4), numberColumn("personal_checked").since(4), numberColumn("personal_set").since(4),
		textColumn("picture_origins").since(5), textColumn("search").since(5),
	}},
	{"project_keys", 2, []Column{
		textColumn("project_id"), textColumn("slot"), keyIDColumn("key_id"), bytesColumn("sealed"),
	}},
	{"users", 1, []Column{
		textColumn("id"), textColumn("name"), textColumn("role"), flagColumn("disabled"),
		{Name: "password_hash", Kind: Secret}, numberColumn("created"),
		textColumn("identity_issuer").since(6), textColumn("identity_subject").since(6), numberColumn("signed_on").since(6),
		textColumn("admin_by").since(6), flagColumn("admin_kept").since(6),
	}},
	{"grants", 2, []Column{
		textColumn("user_id"), textColumn("project_id"), textColumn("name"), numberColumn("created"), textColumn("scopes"),
		textColumn("sources").since(6),
	}},
	{"user_groups", 2, []Column{textColumn("user_id").since(6), textColumn("name").since(6)}},
	{"group_rules", 1, []Column{
		textColumn("id").since(6), textColumn("name").since(6), textColumn("project_id").optional().since(6), textColumn("scopes").since(6),
		textColumn("environments").since(6), numberColumn("created").since(6),
	}},
	{"access_tokens", 1, []Column{
		textColumn("id"), bytesColumn("hash"), textColumn("name"), textColumn("prefix"), textColumn("user_id"),
		textColumn("project_id").optional(), textColumn("scopes"), flagColumn("own_users"), numberColumn("created"), numberColumn("expires"), numberColumn("last_used"),
		numberColumn("rate").since(3), numberColumn("open").since(3),
		textColumn("environments").since(4),
		numberColumn("renewed").since(4), bytesColumn("previous_hash").optional().since(4), numberColumn("previous_expires").since(4),
	}},
	{"webhooks", 1, []Column{
		textColumn("id").since(7), textColumn("url").since(7), textColumn("events").since(7), keyIDColumn("key_id").since(7), bytesColumn("sealed").since(7),
		numberColumn("created").since(7), numberColumn("set_at").since(7), numberColumn("gone").since(7),
	}},
	{"usage", 5, []Column{
		textColumn("day"), textColumn("project_id"), textColumn("user_id"), textColumn("token_id"), textColumn("scope"),
		numberColumn("calls"), numberColumn("errors"), numberColumn("milliseconds"),
	}},
	{"audit", 1, []Column{
		numberColumn("id"), numberColumn("at"), textColumn("actor"), textColumn("action"), textColumn("object"), textColumn("outcome"),
		textColumn("request_id"), textColumn("address"), numberColumn("count"),
	}},
	{"audit_chain", 1, []Column{numberColumn("seq"), numberColumn("audit_id"), bytesColumn("hash")}},
	{"audit_head", 1, []Column{
		numberColumn("id"), numberColumn("seq"), bytesColumn("hash"), keyIDColumn("key_id"), bytesColumn("sealed"), numberColumn("settled"),
		textColumn("cut").since(7),
	}},
}

// Tables returns the tables of an archive. Each refers only to those before it. Times are Unix
// microseconds. The caller must not modify the result.
func Tables() []Table { return tables }

// TableNamed returns the table of that name, if there is one.
func TableNamed(name string) (t Table, ok bool) {
	i := place(name)
	if i < 0 {
		return Table{}, false
	}
	return tables[i], true
}

// place returns the index of the table in Tables, or -1 if the name is unknown.
func place(name string) int {
	return slices.IndexFunc(tables, func(t Table) bool { return t.Name == name })
}

// ColumnsOf returns the columns that the table has in an archive of that version.
func (t Table) ColumnsOf(version int) []Column {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Since > version {
		n--
	}
	return t.Columns[:n]
}

// Upgraded turns a row of an archive of that version into a row of Version, as the migrations turn a
// row of a database.
func (r Row) Upgraded(version int) Row {
	if version < 2 {
		r = r.withSecondaryTimes()
	}
	if version < 3 {
		r = r.withName().withState().withTokenLimits()
	}
	if version < 4 {
		r = r.withEnvironments().withNoPersonalKey().withoutRotation()
	}
	if version < 5 {
		r = r.withNoPictureOrigins().withSearch()
	}
	if version < 6 {
		r = r.withoutSignOns()
	}
	if version < 7 {
		r = r.withoutCut()
	}
	return r
}

// withoutCut upgrades the head of the audit. Before version 7, no audit was cut.
func (r Row) withoutCut() Row {
	if r.Table != "audit_head" {
		return r
	}
	return r.with("")
}

// withoutSignOns upgrades a user and a grant. Before version 6, nobody logged in by an identity provider,
// and only admins granted.
func (r Row) withoutSignOns() Row {
	switch r.Table {
	case "users":
		return r.with("", "", int64(0), "", false)
	case "grants":
		return r.with("")
	}
	return r
}

// withNoPictureOrigins upgrades an assistant. Before version 5, none had picture origins.
func (r Row) withNoPictureOrigins() Row {
	if r.Table != "projects" {
		return r
	}
	return r.with("")
}

// withSearch returns the row of a project with the form of its name in which a search compares it.
func (r Row) withSearch() Row {
	if r.Table != "projects" {
		return r
	}
	name, _ := r.Value("name").(string)
	return r.with(domain.SearchText(name))
}

// withoutRotation upgrades an access token. Before version 4, none was rotated.
func (r Row) withoutRotation() Row {
	if r.Table != "access_tokens" {
		return r
	}
	return r.with(int64(0), nil, int64(0))
}

// withState returns the row of a grant or an access token with the scope state, if it has the
// scope converse. Before version 3, converse allowed what state allows.
func (r Row) withState() Row {
	return r.mapped("scopes", func(text string) string {
		scopes := domain.ScopesFromText(text)
		if !scopes.Has(domain.ScopeConverse) {
			return text
		}
		return (scopes | domain.ScopesOf(domain.ScopeState)).Text()
	})
}

// mapped returns the row with another text in the column. A row without a text there stays as it is.
func (r Row) mapped(column string, change func(string) string) Row {
	t, _ := TableNamed(r.Table)
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
	if i < 0 || i >= len(r.Values) {
		return r
	}
	if text, ok := r.Values[i].(string); ok {
		r.Values = slices.Clone(r.Values)
		r.Values[i] = change(text)
	}
	return r
}

// withSecondaryTimes returns the row of a project with times of the key in the secondary slot.
// Before version 2, a project had one pair of times for the keys in both slots.
func (r Row) withSecondaryTimes() Row {
	if r.Table != "projects" {
		return r
	}
	checked, set := any(int64(0)), any(int64(0))
	if r.Value("secondary_status") != string(domain.KeyNone) {
		checked, set = r.Value("key_checked"), r.Value("key_set")
	}
	return r.with(checked, set)
}

// withTokenLimits upgrades an access token. Before version 3, each had a rate of its own, by
// default 120. As when a database is migrated, a token for a back end with users of its own keeps
// that rate, and the others share the limits of their users.
func (r Row) withTokenLimits() Row {
	if r.Table != "access_tokens" {
		return r
	}
	rate := int64(0)
	if r.Value("own_users") == true {
		rate = 120
	}
	return r.with(rate, int64(0))
}

// withEnvironments upgrades an assistant and an access token. Before version 4, every assistant was
// pinned to its version, and no access token was limited to environments.
func (r Row) withEnvironments() Row {
	if r.Table != "projects" && r.Table != "access_tokens" {
		return r
	}
	return r.with("")
}

// withNoPersonalKey returns the row of a project without a personal key. Before version 4, no project
// had one.
func (r Row) withNoPersonalKey() Row {
	if r.Table != "projects" {
		return r
	}
	return r.with(string(domain.KeyNone), int64(0), int64(0))
}

// with returns the row with more values.
func (r Row) with(values ...any) Row {
	r.Values = append(slices.Clone(r.Values), values...)
	return r
}

// Value returns the row's value in the column, or nil if it has none.
func (r Row) Value(column string) any {
	t, _ := TableNamed(r.Table)
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
	if i < 0 || i >= len(r.Values) {
		return nil
	}
	return r.Values[i]
}

// Check returns Corrupt if the row's table is unknown, if the number or the types of its values
// are not those of the table's columns, or if a text can't be kept. The sentence contains no
// value.
func (r Row) Check() error {
	t, ok := TableNamed(r.Table)
	if !ok {
		return corruptRow("it has a row of an unknown table")
	}
	if len(r.Values) != len(t.Columns) {
		return corruptRow("a row of " + t.Name + " has too many or too few values")
	}
	for i, c := range t.Columns {
		if !c.takes(r.Values[i]) {
			return corruptRow("a row of " + t.Name + " has something else in " + c.Name)
		}
	}
	return nil
}

// CheckAfter does what Check does. It also returns Corrupt if the row does not come after other.
// The zero Row comes before the first row.
func (r Row) CheckAfter(other Row) error {
	if err := r.Check(); err != nil || other.Table == "" || r.After(other) {
		return err
	}
	return corruptRow("a row of " + r.Table + " is there twice or out of order")
}

func corruptRow(public string) error { return &domain.Error{Kind: domain.Corrupt, Public: public} }

func (c Column) takes(value any) (ok bool) {
	if value == nil {
		return c.Optional
	}
	switch c.Kind {
	case Text:
		text, is := value.(string)
		return is && keepable(text)
	case Number:
		_, ok = value.(int64)
	case Flag:
		_, ok = value.(bool)
	case Bytes:
		_, ok = value.([]byte)
	case KeyID:
		id, is := value.(domain.KeyID)
		return is && keepable(string(id))
	case Secret:
		secret, is := value.(domain.Secret)
		return is && keepable(secret.Reveal())
	}
	return ok
}

// keepable reports whether every database keeps the text unchanged.
func keepable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// After reports whether the row comes after other in the order of an archive: by table, then by
// the columns of the table's key, with text in the order of its bytes. No row comes after
// itself. Both rows must have passed Check.
func (r Row) After(other Row) bool {
	at, otherAt := place(r.Table), place(other.Table)
	if at != otherAt || at < 0 {
		return at > otherAt
	}
	for i := range tables[at].Key {
		if order := compareValues(r.Values[i], other.Values[i]); order != 0 {
			return order > 0
		}
	}
	return false
}

// compareValues compares two values of one column of a key.
func compareValues(a, b any) int {
	if text, ok := a.(string); ok {
		return cmp.Compare(text, b.(string))
	}
	return cmp.Compare(a.(int64), b.(int64))
}
