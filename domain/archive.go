package domain

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// ArchiveVersion is the version of the form that ArchiveTables describes. Whoever adds a
// table or a column raises it, puts the column last in its table, and says in
// ArchiveRow.Upgraded what a row of an earlier version has there.
const ArchiveVersion = 2

// ArchiveTable is a table of an archive: everything that an installation keeps, in a form
// that is the same whatever database it comes from.
type ArchiveTable struct {
	Name    string
	Key     int // how many columns, from the first on, tell a row from all others of the table
	Columns []ArchiveColumn
}

// ArchiveColumn is a column of an ArchiveTable.
type ArchiveColumn struct {
	Name     string
	Kind     ArchiveKind
	Optional bool // its value may be nil
	Since    int  // the version that added the column; zero for one of the first version
}

// ArchiveKind says of which Go type the values of a column are.
type ArchiveKind int

// The kinds of columns.
const (
	ArchiveText   ArchiveKind = iota // string
	ArchiveNumber                    // int64
	ArchiveFlag                      // bool
	ArchiveBytes                     // []byte, which nobody changes
	ArchiveKeyID                     // KeyID, of the key that sealed the bytes beside it
	ArchiveSecret                    // Secret
)

// ArchiveRow is a row of an archive.
type ArchiveRow struct {
	Table  string // the name of an ArchiveTable
	Values []any  // in the order of its columns
}

func textColumn(name string) ArchiveColumn   { return ArchiveColumn{Name: name, Kind: ArchiveText} }
func numberColumn(name string) ArchiveColumn { return ArchiveColumn{Name: name, Kind: ArchiveNumber} }
func flagColumn(name string) ArchiveColumn   { return ArchiveColumn{Name: name, Kind: ArchiveFlag} }
func bytesColumn(name string) ArchiveColumn  { return ArchiveColumn{Name: name, Kind: ArchiveBytes} }
func keyIDColumn(name string) ArchiveColumn  { return ArchiveColumn{Name: name, Kind: ArchiveKeyID} }

func (c ArchiveColumn) since(version int) ArchiveColumn {
	c.Since = version
	return c
}

func (c ArchiveColumn) optional() ArchiveColumn {
	c.Optional = true
	return c
}

// archiveTables are in an order in which each refers to those before it only. Sessions
// and conversations are not among them: what has ended since must not come back, so
// everybody logs in anew.
var archiveTables = []ArchiveTable{
	{"installation", 1, []ArchiveColumn{
		numberColumn("id"), keyIDColumn("key_id"), bytesColumn("known"), textColumn("origin"),
		keyIDColumn("pseudonyms_key_id").optional(), bytesColumn("pseudonyms").optional(),
	}},
	{"projects", 1, []ArchiveColumn{
		textColumn("id"), textColumn("name"), textColumn("voiceflow_id"), textColumn("version"), textColumn("platform"),
		numberColumn("created"), numberColumn("voiceflow_created"), textColumn("key_status"), textColumn("credits"),
		textColumn("secondary_status"), numberColumn("key_checked"), numberColumn("key_set"),
		numberColumn("secondary_checked").since(2), numberColumn("secondary_set").since(2),
	}},
	{"project_keys", 2, []ArchiveColumn{
		textColumn("project_id"), textColumn("slot"), keyIDColumn("key_id"), bytesColumn("sealed"),
	}},
	{"users", 1, []ArchiveColumn{
		textColumn("id"), textColumn("name"), textColumn("role"), flagColumn("disabled"),
		{Name: "password_hash", Kind: ArchiveSecret}, numberColumn("created"),
	}},
	{"grants", 2, []ArchiveColumn{
		textColumn("user_id"), textColumn("project_id"), textColumn("name"), numberColumn("created"), textColumn("scopes"),
	}},
	{"access_tokens", 1, []ArchiveColumn{
		textColumn("id"), bytesColumn("hash"), textColumn("name"), textColumn("prefix"), textColumn("user_id"),
		textColumn("project_id").optional(), textColumn("scopes"), flagColumn("own_users"), numberColumn("created"), numberColumn("expires"), numberColumn("last_used"),
	}},
	{"usage", 5, []ArchiveColumn{
		textColumn("day"), textColumn("project_id"), textColumn("user_id"), textColumn("token_id"), textColumn("scope"),
		numberColumn("calls"), numberColumn("errors"), numberColumn("milliseconds"),
	}},
	{"audit", 1, []ArchiveColumn{
		numberColumn("id"), numberColumn("at"), textColumn("actor"), textColumn("action"), textColumn("object"), textColumn("outcome"),
		textColumn("request_id"), textColumn("address"), numberColumn("count"),
	}},
	{"audit_chain", 1, []ArchiveColumn{numberColumn("seq"), numberColumn("audit_id"), bytesColumn("hash")}},
	{"audit_head", 1, []ArchiveColumn{
		numberColumn("id"), numberColumn("seq"), bytesColumn("hash"), keyIDColumn("key_id"), bytesColumn("sealed"), numberColumn("settled"),
	}},
}

// ArchiveTables are the tables of an archive, in their order: each refers to those before
// it only. Times are Unix microseconds. The caller must not change what it gets.
func ArchiveTables() []ArchiveTable { return archiveTables }

// ArchiveTableNamed returns the table of that name, if there is one.
func ArchiveTableNamed(name string) (t ArchiveTable, ok bool) {
	i := archivePlace(name)
	if i < 0 {
		return ArchiveTable{}, false
	}
	return archiveTables[i], true
}

// archivePlace is the place of a table in the order, -1 of none.
func archivePlace(name string) int {
	return slices.IndexFunc(archiveTables, func(t ArchiveTable) bool { return t.Name == name })
}

// ColumnsOf are the columns that the table has in an archive of the version.
func (t ArchiveTable) ColumnsOf(version int) []ArchiveColumn {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Since > version {
		n--
	}
	return t.Columns[:n]
}

// Upgraded is a row of an archive of the version as it is in one of ArchiveVersion. Before
// version 2, a project had one pair of times for the keys in both slots.
func (r ArchiveRow) Upgraded(version int) ArchiveRow {
	if version >= 2 || r.Table != "projects" {
		return r
	}
	checked, set := any(int64(0)), any(int64(0))
	if r.Value("secondary_status") != string(KeyNone) {
		checked, set = r.Value("key_checked"), r.Value("key_set")
	}
	r.Values = append(slices.Clone(r.Values), checked, set)
	return r
}

// Value is the row's value in the column, nil where it has none.
func (r ArchiveRow) Value(column string) any {
	t, _ := ArchiveTableNamed(r.Table)
	i := slices.IndexFunc(t.Columns, func(c ArchiveColumn) bool { return c.Name == column })
	if i < 0 || i >= len(r.Values) {
		return nil
	}
	return r.Values[i]
}

// Check is Corrupt for a row of no table, and for one whose values are not as many and of
// such types as its columns say, or hold text that can't be kept. The sentence holds none
// of them.
func (r ArchiveRow) Check() error {
	t, ok := ArchiveTableNamed(r.Table)
	if !ok {
		return corruptRow("it has a row of no table that is known")
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

// CheckBehind is Check, and also Corrupt for a row that has not its place behind other,
// which is the zero ArchiveRow for the first.
func (r ArchiveRow) CheckBehind(other ArchiveRow) error {
	if err := r.Check(); err != nil || other.Table == "" || r.Behind(other) {
		return err
	}
	return corruptRow("a row of " + r.Table + " is there twice or out of order")
}

func corruptRow(public string) error { return &Error{Kind: Corrupt, Public: public} }

func (c ArchiveColumn) takes(value any) (ok bool) {
	if value == nil {
		return c.Optional
	}
	switch c.Kind {
	case ArchiveText:
		text, is := value.(string)
		return is && keepable(text)
	case ArchiveNumber:
		_, ok = value.(int64)
	case ArchiveFlag:
		_, ok = value.(bool)
	case ArchiveBytes:
		_, ok = value.([]byte)
	case ArchiveKeyID:
		id, is := value.(KeyID)
		return is && keepable(string(id))
	case ArchiveSecret:
		secret, is := value.(Secret)
		return is && keepable(secret.Reveal())
	}
	return ok
}

// keepable says whether every database keeps the text as it is.
func keepable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// Behind says whether the row has its place behind other in the order of an archive: by
// table, and within one by the columns of its key, text by its bytes. No row is behind
// itself. Both must have passed Check.
func (r ArchiveRow) Behind(other ArchiveRow) bool {
	place, otherPlace := archivePlace(r.Table), archivePlace(other.Table)
	if place != otherPlace || place < 0 {
		return place > otherPlace
	}
	for i := range archiveTables[place].Key {
		if order := compareArchived(r.Values[i], other.Values[i]); order != 0 {
			return order > 0
		}
	}
	return false
}

// compareArchived compares two values of one column of a key.
func compareArchived(a, b any) int {
	if text, ok := a.(string); ok {
		return cmp.Compare(text, b.(string))
	}
	return cmp.Compare(a.(int64), b.(int64))
}
