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
	"unicode"
	"unicode/utf8"

	encoding "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/flowlatch/flowlatch/domain"
)

// maxLine is the longest line that is read, in bytes. No assistant needs that much.
const maxLine = 16 << 10

// ReadCSV returns a Reader of CSV (RFC 4180), as Excel, other spreadsheets and programs write it. The
// first line names the columns: version_id, token, and optionally name, voiceflow_project_id,
// environments and allow_draft. The last two have names that are separated by spaces, as
// domain.EnvironmentsNamed takes them; an empty cell has no list.
// Case, spaces, underscores and hyphens of these names do not count. The separator is a comma, a
// semicolon or a tab: the one with which the first line names the columns, or the one that Excel's
// line sep= above it names. The text is UTF-8, or UTF-16 with a byte order mark. Lines end with LF,
// CR LF or CR. Rows without a value are skipped. A value never continues in the next line, so a
// misplaced quotation mark makes one line invalid, not the rest of the file.
func ReadCSV(r io.Reader, each func(Entry) error) error {
	lines := bufio.NewReaderSize(transform.NewReader(r, transform.Chain(encoding.BOMOverride(transform.Nop), &lineEnds{})), maxLine)
	var t table
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
		if t.columns == nil {
			if err := t.begin(line, whole); err != nil {
				return err
			}
			continue
		}
		entry, there := t.entry(line, whole)
		if !there {
			continue
		}
		entry.Place = fmt.Sprintf("line %d", number)
		if err := each(entry); err != nil {
			return err
		}
	}
	if t.columns == nil {
		return errors.New("the file is empty; it should begin with a line " + csvHeader)
	}
	return nil
}

// lineEnds makes a line feed of each end of a line: LF, CR LF and CR.
type lineEnds struct{ afterCR bool }

// Reset implements transform.Transformer.
func (l *lineEnds) Reset() { l.afterCR = false }

// Transform implements transform.Transformer.
func (l *lineEnds) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, c := range src {
		if c == '\n' && l.afterCR {
			l.afterCR = false
			nSrc++
			continue
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		if l.afterCR = c == '\r'; l.afterCR {
			c = '\n'
		}
		dst[nDst] = c
		nDst++
		nSrc++
	}
	return nDst, nSrc, nil
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

// table is what the lines before the first row say.
type table struct {
	separators []rune // those that are possible; the first one counts once columns are known
	columns    []string
}

// begin reads a line before the first row: Excel's line sep=, or the names of the columns. The
// error does not repeat the line: if the names are missing, the line contains a key.
func (t *table) begin(line []byte, whole bool) error {
	if t.separators == nil {
		t.separators = []rune{',', ';', '\t'}
		if separator, is := namedSeparator(line); is {
			t.separators = []rune{separator}
			return nil
		}
	}
	for _, separator := range t.separators {
		values, err := splitLine(line, separator)
		if columns := columnsOf(values); whole && err == nil && columns != nil {
			t.separators, t.columns = []rune{separator}, columns
			return nil
		}
	}
	return errors.New("the file should begin with a line that names its columns, " + csvHeader +
		"; name is optional, voiceflow_project_id, environments and allow_draft may be added, and the separator is a comma, a semicolon or a tab")
}

// namedSeparator returns the separator that Excel's line sep= names, if the line is one.
func namedSeparator(line []byte) (separator rune, is bool) {
	text := strings.Trim(strings.TrimRight(string(line), "\n"), `"`)
	if len(text) < 5 || !strings.EqualFold(text[:4], "sep=") {
		return 0, false
	}
	// A spreadsheet may have made a row of it, with separators after it.
	text = text[4:]
	if strings.Trim(text, text[:1]) != "" {
		return 0, false
	}
	return rune(text[0]), strings.ContainsAny(text[:1], ",;\t|:")
}

// entry returns the entry of a line. It returns false if no cell of the line has a value.
func (t *table) entry(line []byte, whole bool) (e Entry, there bool) {
	if !whole {
		return Entry{Err: fmt.Errorf("it is longer than %d bytes", maxLine-1)}, true
	}
	values, err := splitLine(line, t.separators[0])
	if err != nil {
		return Entry{Err: err}, true
	}
	last := len(values)
	for last > 0 && strings.TrimSpace(values[last-1]) == "" {
		last--
	}
	if last == 0 {
		return Entry{}, false
	}
	return entryOf(t.columns, values[:max(last, min(len(values), len(t.columns)))]), true
}

// splitLine returns the values of a line.
func splitLine(line []byte, separator rune) ([]string, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("it is not UTF-8")
	}
	reader := csv.NewReader(bytes.NewReader(line))
	reader.Comma = separator
	values, err := reader.Read()
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

	columnEnvironments = "environments"
	columnAllowDraft   = "allow_draft"
)

const csvHeader = "version_id,token,name"

// columnNamed returns the column of that name. Only letters count, in either case.
func columnNamed(name string) (column string, known bool) {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '_' || r == '-' || r == '\ufeff' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	for _, column := range []string{columnVersion, columnToken, columnName, columnVoiceflow, columnEnvironments, columnAllowDraft} {
		if letters == strings.ReplaceAll(column, "_", "") {
			return column, true
		}
	}
	return "", false
}

// columnsOf returns the columns that the first line names, or nil if it does not name the columns
// of a list. Cells at its end may be empty.
func columnsOf(values []string) []string {
	for len(values) > 0 && strings.TrimSpace(values[len(values)-1]) == "" {
		values = values[:len(values)-1]
	}
	var columns []string
	for _, value := range values {
		column, known := columnNamed(value)
		if !known || slices.Contains(columns, column) {
			return nil
		}
		columns = append(columns, column)
	}
	if !slices.Contains(columns, columnVersion) || !slices.Contains(columns, columnToken) {
		return nil
	}
	return columns
}

// entryOf returns the entry that the values of a line make. Optional values may be missing at its
// end.
func entryOf(columns, values []string) Entry {
	given := len(values)
	for len(values) < len(columns) && columns[len(values)] != columnVersion && columns[len(values)] != columnToken {
		values = append(values, "")
	}
	if len(values) != len(columns) {
		return Entry{Err: fmt.Errorf("it has %d values, and there are %d columns", given, len(columns))}
	}
	var entry Entry
	var names, drafts []string
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
		case columnEnvironments:
			names = namesIn(values[i])
		case columnAllowDraft:
			drafts = namesIn(values[i])
		}
	}
	entry.Environments = domain.EnvironmentsNamed(names, drafts)
	return entry
}

// namesIn returns the names in a cell, nil if there are none.
func namesIn(cell string) []string {
	names := strings.Fields(cell)
	if len(names) == 0 {
		return nil
	}
	return names
}
