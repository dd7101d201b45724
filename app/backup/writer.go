package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// writer writes a backup file and counts what is in it.
type writer struct {
	to     *bufio.Writer
	digest hash.Hash
	last   archive.Row
	counts map[string]int64
	keys   map[domain.KeyID]bool // that sealed something in it
	rows   int64
}

func newWriter(to io.Writer, header headerLine) (*writer, error) {
	w := &writer{to: bufio.NewWriterSize(to, 64<<10), digest: sha256.New(), counts: map[string]int64{}, keys: map[domain.KeyID]bool{}}
	return w, w.line(header)
}

// line writes a line that is not a row.
func (w *writer) line(v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	return w.write(line)
}

func (w *writer) write(line []byte) error {
	if len(line) > maxLine {
		return &domain.Error{Kind: domain.Corrupt, Public: "a value in the database is too long for a backup"}
	}
	_, _ = w.digest.Write(line) // never fails
	if _, err := w.to.Write(line); err != nil {
		return unwritable(err)
	}
	return nil
}

func (w *writer) row(row archive.Row) error {
	if err := row.CheckAfter(w.last); err != nil {
		return &domain.Error{Kind: domain.Corrupt, Public: "the database has a value that a backup can't hold", Cause: err}
	}
	w.last = archive.Row{Table: row.Table, Values: slices.Clone(row.Values)}
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

// finish writes the end and the seal.
func (w *writer) finish(end endLine, seal func(digest string) (domain.Sealed, error)) error {
	if err := w.line(end); err != nil {
		return err
	}
	digest := hex.EncodeToString(w.digest.Sum(nil))
	sealed, err := seal(digest)
	if err != nil {
		return err
	}
	if err := w.line(sealLine{Digest: digest, Key: sealed.Key, Seal: sealed.Bytes}); err != nil {
		return err
	}
	if err := w.to.Flush(); err != nil {
		return unwritable(err)
	}
	return nil
}

func unwritable(err error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be written", Cause: err}
}
