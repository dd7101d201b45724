package app

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// A backup file is lines of JSON: a header, a line for each row of the archive, an end,
// and a seal over the SHA-256 of all lines before it. There is one way to write each
// line, and a line that is written in another is refused: so no byte can be changed that
// is not noticed.

const (
	backupFormat = "flowlatch backup"
	// maxBackupLine is the longest line, in bytes: far more than the longest row.
	maxBackupLine = 256 << 10
)

type backupHeader struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Created time.Time     `json:"created"`
	Origin  domain.Origin `json:"origin"`
}

// backupEnd says what it takes to use the rows.
type backupEnd struct {
	Rows int64          `json:"rows"`
	Keys []domain.KeyID `json:"keys"`
}

// backupSeal shows that whoever wrote the file had the keyset.
type backupSeal struct {
	Digest string       `json:"sha256"`
	Key    domain.KeyID `json:"sealed_by"`
	Seal   []byte       `json:"seal"`
}

// backupWriter writes a backup file and counts what is in it.
type backupWriter struct {
	to     *bufio.Writer
	digest hash.Hash
	before domain.ArchiveRow
	counts map[string]int64
	keys   map[domain.KeyID]bool // that sealed something in it
	rows   int64
}

func newBackupWriter(to io.Writer, header backupHeader) (*backupWriter, error) {
	w := &backupWriter{to: bufio.NewWriterSize(to, 64<<10), digest: sha256.New(), counts: map[string]int64{}, keys: map[domain.KeyID]bool{}}
	return w, w.line(header)
}

// line writes one of the lines that are no row.
func (w *backupWriter) line(v any) error {
	line, err := backupLine(v)
	if err != nil {
		return err
	}
	return w.write(line)
}

func backupLine(v any) ([]byte, error) {
	line, err := json.Marshal(v)
	return append(line, '\n'), err
}

func (w *backupWriter) write(line []byte) error {
	if len(line) > maxBackupLine {
		return &domain.Error{Kind: domain.Corrupt, Public: "something in the database is too long for a backup"}
	}
	_, _ = w.digest.Write(line) // documented never to fail
	if _, err := w.to.Write(line); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be written", Cause: err}
	}
	return nil
}

func (w *backupWriter) row(row domain.ArchiveRow) error {
	if err := row.CheckBehind(w.before); err != nil {
		return &domain.Error{Kind: domain.Corrupt, Public: "the database has something that no backup can hold", Cause: err}
	}
	w.before = domain.ArchiveRow{Table: row.Table, Values: append([]any(nil), row.Values...)}
	w.rows++
	w.counts[row.Table]++
	for _, value := range row.Values {
		if id, ok := value.(domain.KeyID); ok {
			w.keys[id] = true
		}
	}
	line, err := encodeRow(row)
	if err != nil {
		return err
	}
	return w.write(line)
}

// finish writes end and seal.
func (w *backupWriter) finish(end backupEnd, seal func(digest string) (domain.Sealed, error)) error {
	if err := w.line(end); err != nil {
		return err
	}
	digest := hex.EncodeToString(w.digest.Sum(nil))
	sealed, err := seal(digest)
	if err != nil {
		return err
	}
	if err := w.line(backupSeal{Digest: digest, Key: sealed.Key, Seal: sealed.Bytes}); err != nil {
		return err
	}
	if err := w.to.Flush(); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be written", Cause: err}
	}
	return nil
}

// encodeRow is the line of a row whose values have passed its check. A row of an earlier
// version has fewer of them.
func encodeRow(row domain.ArchiveRow) ([]byte, error) {
	table, _ := domain.ArchiveTableNamed(row.Table)
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

// decodeRow reads a line that encodeRow wrote in a program of that version, and nothing else.
// It returns the row as it is in this version.
func decodeRow(line []byte, version int) (domain.ArchiveRow, error) {
	var read struct {
		Table string                     `json:"table"`
		Row   map[string]json.RawMessage `json:"row"`
	}
	if err := json.Unmarshal(line, &read); err != nil {
		return domain.ArchiveRow{}, errNotWritten
	}
	table, _ := domain.ArchiveTableNamed(read.Table)
	columns := table.ColumnsOf(version)
	row := domain.ArchiveRow{Table: read.Table, Values: make([]any, len(columns))}
	for i, column := range columns {
		value, err := decodeValue(column.Kind, read.Row[column.Name])
		if err != nil {
			return domain.ArchiveRow{}, errNotWritten
		}
		row.Values[i] = value
	}
	upgraded := row.Upgraded(version)
	if err := upgraded.Check(); err != nil {
		return domain.ArchiveRow{}, err
	}
	again, err := encodeRow(row)
	if err != nil || !bytes.Equal(again, line) {
		return domain.ArchiveRow{}, errNotWritten
	}
	return upgraded, nil
}

// errNotWritten is for a line that no backup has.
var errNotWritten = errors.New("app: no line of a backup")

func decodeValue(kind domain.ArchiveKind, text json.RawMessage) (any, error) {
	if string(text) == "null" {
		return nil, nil
	}
	switch kind {
	case domain.ArchiveNumber:
		return strconv.ParseInt(string(text), 10, 64)
	case domain.ArchiveFlag:
		return strconv.ParseBool(string(text))
	case domain.ArchiveBytes:
		var b []byte
		return b, json.Unmarshal(text, &b)
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	switch kind {
	case domain.ArchiveKeyID:
		return domain.KeyID(s), nil
	case domain.ArchiveSecret:
		return domain.NewSecret(s), nil
	default:
		return s, nil
	}
}

// backupFrame is a backup file without its rows.
type backupFrame struct {
	header backupHeader
	end    backupEnd
	seal   backupSeal
}

// readBackup reads a backup file to its end and calls each for its rows. Returns Corrupt if
// the file is not a whole backup, as far as that shows without the keyset. Returns Conflict
// for a backup of a newer program. An error of each ends it and is returned as it is.
func readBackup(from io.Reader, each func(domain.ArchiveRow) error) (backupFrame, error) {
	r := &backupReader{from: bufio.NewReaderSize(from, maxBackupLine), digest: sha256.New()}
	var f backupFrame
	if err := r.header(&f.header); err != nil {
		return f, err
	}
	rows, after, err := r.rows(f.header.Version, each)
	if err != nil {
		return f, err
	}
	if err := canonical(after, &f.end); err != nil || f.end.Rows != rows {
		return f, r.damaged(errNotWritten)
	}
	return f, r.seal(&f.seal)
}

// header reads the first line.
func (r *backupReader) header(h *backupHeader) error {
	line, err := r.next()
	if err != nil {
		return r.noBackup(err)
	}
	// The header of a newer program may have other members.
	if err := json.Unmarshal(line, h); err != nil || h.Format != backupFormat {
		return r.noBackup(errNotWritten)
	}
	if h.Version > domain.ArchiveVersion {
		return &domain.Error{Kind: domain.Conflict, Public: "this backup was made by a newer program; use that one"}
	}
	if err := canonical(line, h); err != nil || h.Version < 1 {
		return r.damaged(errNotWritten)
	}
	return nil
}

// rows calls each for every row of a backup of that version, and returns how many there are and the line after them.
func (r *backupReader) rows(version int, each func(domain.ArchiveRow) error) (n int64, after []byte, err error) {
	var before domain.ArchiveRow
	for {
		line, err := r.next()
		if err != nil {
			return n, nil, r.damaged(err)
		}
		if !bytes.HasPrefix(line, []byte(`{"table":`)) {
			return n, line, nil
		}
		row, err := decodeRow(line, version)
		if err == nil {
			err = row.CheckBehind(before)
		}
		if err != nil {
			return n, nil, r.damaged(err)
		}
		if err := each(row); err != nil {
			return n, nil, err
		}
		before = row
		n++
	}
}

// seal reads the last line, which seals all lines before it. Nothing may follow it.
func (r *backupReader) seal(s *backupSeal) error {
	digest := hex.EncodeToString(r.digest.Sum(nil))
	line, err := r.next()
	if err != nil {
		return r.damaged(err)
	}
	if err := canonical(line, s); err != nil || s.Digest != digest {
		return r.damaged(errNotWritten)
	}
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return r.damaged(errNotWritten)
	case !errors.Is(err, io.EOF):
		return r.damaged(err)
	}
	return nil
}

// canonical reads a line into v, and wants it to be the line that v is written as.
func canonical(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return errNotWritten
	}
	again, err := backupLine(v)
	if err != nil || !bytes.Equal(again, line) {
		return errNotWritten
	}
	return nil
}

// backupReader reads a backup file line by line.
type backupReader struct {
	from   *bufio.Reader
	digest hash.Hash
	lines  int
}

// next is the next line with its end, good until it is called again.
func (r *backupReader) next() ([]byte, error) {
	line, err := r.from.ReadSlice('\n')
	r.lines++
	if err != nil {
		return nil, err
	}
	_, _ = r.digest.Write(line) // documented never to fail
	return line, nil
}

// noBackup is the answer for a file that does not begin as one.
func (r *backupReader) noBackup(err error) error {
	if unreadable(err) {
		return r.damaged(err)
	}
	return &domain.Error{Kind: domain.Corrupt, Public: "this is no backup of Flowlatch"}
}

// damaged is the answer for a file that is not as it was written.
func (r *backupReader) damaged(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return &domain.Error{Kind: domain.Corrupt, Public: "the backup is cut: its end is missing"}
	case unreadable(err):
		return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be read", Cause: err}
	}
	e := &domain.Error{Kind: domain.Corrupt, Public: "the backup is damaged or was changed, at line " + strconv.Itoa(r.lines)}
	if domain.KindOf(err) == domain.Corrupt {
		e.Cause = err // which holds nothing of the row
	}
	return e
}

// unreadable says whether it is the file that can't be read, and not what is in it.
func unreadable(err error) bool {
	return !errors.Is(err, io.EOF) && !errors.Is(err, errNotWritten) && !errors.Is(err, bufio.ErrBufferFull) && domain.KindOf(err) == ""
}
