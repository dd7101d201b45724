package backup

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

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// frame is a backup file without its rows.
type frame struct {
	header headerLine
	end    endLine
	seal   sealLine
}

// read reads a backup file to its end and calls each for its rows. Returns Corrupt if the file
// is not a whole backup, as far as that shows without the keyset. Returns Conflict for a
// backup of a newer program. An error of each ends it and is returned as it is.
func read(from io.Reader, each func(archive.Row) error) (frame, error) {
	r := &reader{from: bufio.NewReaderSize(from, maxLine), digest: sha256.New()}
	var f frame
	if err := r.header(&f.header); err != nil {
		return f, err
	}
	rows, after, err := r.rows(f.header.Version, each)
	if err != nil {
		return f, err
	}
	if err := decode(after, &f.end); err != nil || f.end.Rows != rows {
		return f, r.damaged(errNotWritten)
	}
	return f, r.seal(&f.seal)
}

// reader reads a backup file line by line.
type reader struct {
	from   *bufio.Reader
	digest hash.Hash
	lines  int
}

// next returns the next line with its end. The line is valid until the next call.
func (r *reader) next() ([]byte, error) {
	line, err := r.from.ReadSlice('\n')
	r.lines++
	if err != nil {
		return nil, err
	}
	_, _ = r.digest.Write(line) // never fails
	return line, nil
}

// header reads the first line.
func (r *reader) header(h *headerLine) error {
	line, err := r.next()
	if err != nil {
		return r.noBackup(err)
	}
	// The header of a newer program may have other members.
	if err := json.Unmarshal(line, h); err != nil || h.Format != format {
		return r.noBackup(errNotWritten)
	}
	if h.Version > archive.Version {
		return &domain.Error{Kind: domain.Conflict, Public: "a newer program made this backup; restore it with that program"}
	}
	if err := decode(line, h); err != nil || h.Version < 1 {
		return r.damaged(errNotWritten)
	}
	return nil
}

// rows calls each for every row of a backup of that version. It returns how many rows there are
// and the line after them.
func (r *reader) rows(version int, each func(archive.Row) error) (n int64, after []byte, err error) {
	var last archive.Row
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
			err = row.CheckAfter(last)
		}
		if err != nil {
			return n, nil, r.damaged(err)
		}
		if err := each(row); err != nil {
			return n, nil, err
		}
		last = row
		n++
	}
}

// seal reads the last line, which seals all lines before it. Nothing may follow it.
func (r *reader) seal(s *sealLine) error {
	digest := hex.EncodeToString(r.digest.Sum(nil))
	line, err := r.next()
	if err != nil {
		return r.damaged(err)
	}
	if err := decode(line, s); err != nil || s.Digest != digest {
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

// noBackup returns the error for a file that does not begin as a backup.
func (r *reader) noBackup(err error) error {
	if unreadable(err) {
		return r.damaged(err)
	}
	return &domain.Error{Kind: domain.Corrupt, Public: "this is not a backup of Flowlatch"}
}

// damaged returns the error for a file that differs from what Write wrote.
func (r *reader) damaged(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return &domain.Error{Kind: domain.Corrupt, Public: "the backup is cut: its end is missing"}
	case unreadable(err):
		return unreadableFile(err)
	}
	e := &domain.Error{Kind: domain.Corrupt, Public: "the backup is damaged or was changed, at line " + strconv.Itoa(r.lines)}
	if domain.KindOf(err) == domain.Corrupt {
		e.Cause = err // it holds no value of the row
	}
	return e
}

// unreadable reports whether the file can't be read, as opposed to having wrong content.
func unreadable(err error) bool {
	return !errors.Is(err, io.EOF) && !errors.Is(err, errNotWritten) && !errors.Is(err, bufio.ErrBufferFull) && domain.KindOf(err) == ""
}

func unreadableFile(err error) error {
	return &domain.Error{Kind: domain.Unavailable, Public: "the backup can't be read", Cause: err}
}
