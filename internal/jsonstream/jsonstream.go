// Package jsonstream reads JSON values one after the other, from input of any length, in
// bounded memory. None of its errors repeats a part of the input, because the input may
// contain secrets.
package jsonstream

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxValue is the largest value that DecodeObject accepts, in bytes.
const MaxValue = 16 << 10

// maxRead is how many bytes are read to find the end of one value. It is more than MaxValue,
// so that a value that is only a little too large does not end the reading.
const maxRead = 4 * MaxValue

var errTooLarge = fmt.Errorf("a value is larger than %d bytes, or as much white space stands before it; the rest was not read", maxRead)

// Reader reads the values. It keeps a few times MaxValue in memory at most.
type Reader struct {
	tokens *jsontext.Decoder
	from   *lineReader
	line   int
}

// NewReader returns a Reader of the values in r.
func NewReader(r io.Reader) *Reader {
	from := &lineReader{from: r, left: maxRead, line: 1}
	// A duplicate name or invalid UTF-8 is an error of its value alone. DecodeObject finds it.
	return &Reader{from: from, tokens: jsontext.NewDecoder(from, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

// BeginArray reads the beginning of an array. It returns an error if the input does not
// begin with one.
func (r *Reader) BeginArray() error {
	if r.tokens.PeekKind() != jsontext.KindBeginArray {
		return r.describe(errors.New("the file should hold one JSON array of objects"))
	}
	return r.token()
}

// EndArray reads the end of the array and of the input.
func (r *Reader) EndArray() error {
	if err := r.token(); err != nil {
		return err
	}
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return r.describe(errors.New("there is something after the end of the array"))
	}
	return nil
}

// End returns an error if the input has not ended.
func (r *Reader) End() error {
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return r.describe(err)
	}
	return nil
}

func (r *Reader) token() error {
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.describe(err)
	}
	return nil
}

// More reports whether another value comes before the end of the array or of the input.
func (r *Reader) More() bool {
	r.from.left = maxRead
	switch r.tokens.PeekKind() {
	case jsontext.KindEndArray, jsontext.KindInvalid: // the next read returns the error
		return false
	}
	return true
}

// Next reads a value. The value is valid until the next call.
func (r *Reader) Next() (jsontext.Value, error) {
	value, err := r.tokens.ReadValue()
	if err != nil {
		return nil, r.describe(err)
	}
	r.line = r.from.lineAt(r.tokens.InputOffset() - int64(len(value)))
	return value, nil
}

// Line returns the line in which the last value of Next begins.
func (r *Reader) Line() int { return r.line }

// describe returns why the reading ends. It replaces the errors of the decoder, which may
// quote the input, and keeps their line.
func (r *Reader) describe(err error) error {
	if r.from.failed != nil {
		return r.from.failed
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends in the middle of its JSON")
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("line %d is not valid JSON, so nothing after it can be read", r.from.lineAt(e.ByteOffset))
	}
	return err
}

// DecodeObject decodes a JSON object into the struct that into points to. It refuses
// unknown and duplicate members, members of another type, and invalid Unicode.
func DecodeObject(value jsontext.Value, into any) error {
	if len(value) > MaxValue {
		return fmt.Errorf("it is larger than %d bytes", MaxValue)
	}
	if value.Kind() != jsontext.KindBeginObject {
		return errors.New("it is not a JSON object")
	}
	err := json.Unmarshal(value, into, json.RejectUnknownMembers(true))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errors.New("it has two members of the same name")
	case errors.Is(err, json.ErrUnknownName):
		return errors.New("it has an unknown member")
	}
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		return errors.New("a member is of the wrong type")
	}
	return errors.New("a text in it is not Unicode")
}

// lineReader counts lines. It reads at most left bytes.
type lineReader struct {
	from   io.Reader
	left   int
	read   int64   // how many bytes were read
	ends   []int64 // the offsets of the line ends that lineAt has not passed yet
	line   int     // the line before the first of ends
	failed error   // why nothing more can be read; nil at the end
}

func (r *lineReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		r.failed = errTooLarge
		return 0, r.failed
	}
	n, err := r.from.Read(b[:min(len(b), r.left)])
	for i, c := range b[:n] {
		if c == '\n' {
			r.ends = append(r.ends, r.read+int64(i))
		}
	}
	r.read += int64(n)
	r.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

// lineAt returns the line of the byte at offset. Offsets only grow.
func (r *lineReader) lineAt(offset int64) int {
	passed := 0
	for passed < len(r.ends) && r.ends[passed] < offset {
		passed++
	}
	r.ends = r.ends[passed:]
	r.line += passed
	return r.line
}
