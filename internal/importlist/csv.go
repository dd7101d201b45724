package importlist

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// maxLine is the longest line that is read, in bytes. No assistant needs that much.
const maxLine = 16 << 10

// ReadCSV returns a Reader of CSV (RFC 4180). The first line names the columns: version_id,
// token, and optionally name and voiceflow_project_id. A value never continues in the next line,
// so a misplaced quotation mark makes one line invalid, not the rest of the file.
func ReadCSV(r io.Reader, each func(Entry) error) error {
	lines := withoutMark(bufio.NewReaderSize(r, maxLine))
	var columns []string
	for number := 1; ; number++ {
		line, whole, err := nextLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("line %d can't be read: %w", number, err)
		}
		if whole && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var values []string
		if !whole {
			err = fmt.Errorf("it is longer than %d bytes", maxLine-1)
		} else {
			values, err = splitLine(line)
		}
		if columns == nil {
			if columns, err = columnsOf(values, err); err != nil {
				return err
			}
			continue
		}
		entry := Entry{Err: err}
		if err == nil {
			entry = entryOf(columns, values)
		}
		entry.Place = fmt.Sprintf("line %d", number)
		if err := each(entry); err != nil {
			return err
		}
	}
	if columns == nil {
		return errors.New("the file is empty; it should begin with a line " + csvHeader)
	}
	return nil
}

// nextLine reads a line, which is valid until the next call. If the line is too long, it
// skips the line and returns false for whole.
func nextLine(r *bufio.Reader) (line []byte, whole bool, err error) {
	line, err = r.ReadSlice('\n')
	if err == io.EOF && len(line) > 0 {
		return line, true, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, true, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		err = nil // the next call says so
	}
	return nil, false, err
}

// splitLine returns the values of a line.
func splitLine(line []byte) ([]string, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("it is not UTF-8")
	}
	values, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("a quotation mark is out of place; a value in quotes must end in the line in which it begins")
	}
	return values, nil
}

// The names of columns.
const (
	columnVersion   = "version_id"
	columnToken     = "token"
	columnName      = "name"
	columnVoiceflow = "voiceflow_project_id"
)

const csvHeader = "version_id,token,name"

// columnsOf returns the columns that the first line names. The error does not repeat the
// line: if the names are missing, the line contains a key.
func columnsOf(values []string, err error) ([]string, error) {
	known := []string{columnVersion, columnToken, columnName, columnVoiceflow}
	var columns []string
	for _, value := range values {
		name := strings.TrimSpace(value)
		if !slices.Contains(known, name) || slices.Contains(columns, name) {
			columns = nil
			break
		}
		columns = append(columns, name)
	}
	if err != nil || !slices.Contains(columns, columnVersion) || !slices.Contains(columns, columnToken) {
		return nil, errors.New("the file should begin with a line that names its columns, " + csvHeader +
			"; name is optional, voiceflow_project_id may be added, and the separator is a comma")
	}
	return columns, nil
}

// entryOf returns the entry that the values of a line make.
func entryOf(columns, values []string) Entry {
	if len(values) == len(columns)-1 && columns[len(values)] == columnName {
		values = append(values, "") // it is optional
	}
	if len(values) != len(columns) {
		return Entry{Err: fmt.Errorf("it has %d values, and there are %d columns", len(values), len(columns))}
	}
	var entry Entry
	for i, column := range columns {
		switch column {
		case columnVersion:
			entry.Version = values[i]
		case columnToken:
			entry.Key = domain.NewSecret(values[i])
		case columnName:
			entry.Name = values[i]
		case columnVoiceflow:
			entry.VoiceflowProject = values[i]
		}
	}
	return entry
}
