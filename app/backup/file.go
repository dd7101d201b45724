package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// A backup file consists of lines of JSON: a header, a line for each row of the archive, an
// end, and a seal over the SHA-256 of all lines before it. Each line can be written in one way
// only, and a line that is written in another way is refused. So every changed byte is
// noticed.

const (
	format = "flowlatch backup"
	// maxLine is the longest line, in bytes. It is far longer than the longest row.
	maxLine = 256 << 10
)

type headerLine struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Created time.Time     `json:"created"`
	Origin  domain.Origin `json:"origin"`
}

// endLine says what is needed to use the rows.
type endLine struct {
	Rows int64          `json:"rows"`
	Keys []domain.KeyID `json:"keys"`
}

// sealLine shows that the writer of the file had the keyset.
type sealLine struct {
	Digest string       `json:"sha256"`
	Key    domain.KeyID `json:"sealed_by"`
	Seal   []byte       `json:"seal"`
}

// errNotWritten is the error for a line that no Write wrote.
var errNotWritten = errors.New("backup: not a line of a backup")

// encode returns the line of one of the types above.
func encode(v any) ([]byte, error) {
	line, err := json.Marshal(v)
	return append(line, '\n'), err
}

// decode reads a line into v. Returns errNotWritten unless encode writes v as that line.
func decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return errNotWritten
	}
	again, err := encode(v)
	if err != nil || !bytes.Equal(again, line) {
		return errNotWritten
	}
	return nil
}

// encodeRow returns the line of a row whose values have passed their check. A row of an earlier
// version has fewer values.
func encodeRow(row archive.Row) ([]byte, error) {
	table, _ := archive.TableNamed(row.Table)
	line := []byte(`{"table":"` + table.Name + `","row":{`)
	for i, value := range row.Values {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, `"`+table.Columns[i].Name+`":`...)
		if secret, ok := value.(domain.Secret); ok {
			value = secret.Reveal()
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		line = append(line, text...)
	}
	return append(line, "}}\n"...), nil
}

// decodeRow reads a line that encodeRow wrote in a program of that version, and no other line.
// It returns the row as it is in this version.
func decodeRow(line []byte, version int) (archive.Row, error) {
	var read struct {
		Table string                     `json:"table"`
		Row   map[string]json.RawMessage `json:"row"`
	}
	if err := json.Unmarshal(line, &read); err != nil {
		return archive.Row{}, errNotWritten
	}
	table, _ := archive.TableNamed(read.Table)
	columns := table.ColumnsOf(version)
	row := archive.Row{Table: read.Table, Values: make([]any, len(columns))}
	for i, column := range columns {
		value, err := decodeValue(column.Kind, read.Row[column.Name])
		if err != nil {
			return archive.Row{}, errNotWritten
		}
		row.Values[i] = value
	}
	upgraded := row.Upgraded(version)
	if err := upgraded.Check(); err != nil {
		return archive.Row{}, err
	}
	again, err := encodeRow(row)
	if err != nil || !bytes.Equal(again, line) {
		return archive.Row{}, errNotWritten
	}
	return upgraded, nil
}

func decodeValue(kind archive.Kind, text json.RawMessage) (any, error) {
	if string(text) == "null" {
		return nil, nil
	}
	switch kind {
	case archive.Number:
		return strconv.ParseInt(string(text), 10, 64)
	case archive.Flag:
		return strconv.ParseBool(string(text))
	case archive.Bytes:
		var b []byte
		return b, json.Unmarshal(text, &b)
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	switch kind {
	case archive.KeyID:
		return domain.KeyID(s), nil
	case archive.Secret:
		return domain.NewSecret(s), nil
	default:
		return s, nil
	}
}
