package main

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

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// readCSV is a reading of CSV (RFC 4180) with a line of column names. A value does not go
// on in the next line, quoted or not: so a quotation mark that is out of place spoils one
// line, and not the rest of the file.
func readCSV(r io.Reader, each func(arrival) error) error {
	lines := withoutMark(bufio.NewReaderSize(r, maxArrival))
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
			err = fmt.Errorf("it is longer than %d bytes", maxArrival-1)
		} else {
			values, err = splitLine(line)
		}
		if columns == nil {
			if columns, err = columnsOf(values, err); err != nil {
				return err
			}
			continue
		}
		a := arrival{place: fmt.Sprintf("line %d", number), err: err}
		if err == nil {
			a.in, a.err = rowOf(columns, values)
		}
		if err := each(a); err != nil {
			return err
		}
	}
	if columns == nil {
		return errors.New("the file is empty; it should begin with a line " + csvHeader)
	}
	return nil
}

// nextLine reads a line, which is good until the next call. Of one that is too long it
// passes over the rest; that one is not whole.
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
		return nil, errors.New("a quotation mark is out of place; a value in quotes ends in the line in which it begins")
	}
	return values, nil
}

// The columns that a file may have.
const (
	columnVersion   = "version_id"
	columnToken     = "token"
	columnName      = "name"
	columnVoiceflow = "voiceflow_project_id"
)

const csvHeader = "version_id,token,name"

// columnsOf are the columns that the first line names. The error does not repeat the
// line: where the names were left out it has a key in it.
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
			"; name may be left out, voiceflow_project_id may be among them, and commas stand between them")
	}
	return columns, nil
}

// rowOf is what the values of a line are.
func rowOf(columns, values []string) (app.AddProject, error) {
	if len(values) == len(columns)-1 && columns[len(values)] == columnName {
		values = append(values, "") // it may be left out
	}
	if len(values) != len(columns) {
		return app.AddProject{}, fmt.Errorf("it has %d values, and there are %d columns", len(values), len(columns))
	}
	var in app.AddProject
	for i, column := range columns {
		switch column {
		case columnVersion:
			in.Version = values[i]
		case columnToken:
			in.Key = domain.NewSecret(values[i])
		case columnName:
			in.Name = values[i]
		case columnVoiceflow:
			in.VoiceflowProject = values[i]
		}
	}
	return in, nil
}
